from __future__ import annotations

from sandbox import selfcheck
from sandbox.attacks import ATTACKS, SHORT, THROUGH
from sandbox.base import Level
from sandbox.inprocess import InProcessSandbox


def test_a_process_sandbox_contains_what_its_level_promises(runner):
    results = selfcheck.check(runner)
    assert selfcheck.confirmed(runner.level, results) == runner.level
    if runner.level >= Level.KERNEL:
        assert [r for r in results if not r.ok] == []
        details = {r.attack.name: (r.actual, r.detail) for r in results}
        assert details["endless loop"] == ("cpu_limit", "used more than 1 s of CPU")
        assert details["trace the parent"][0] == "violation"
        assert details["environment"] == ("contained", "")


class Boastful(InProcessSandbox):
    """Claims a level and contains nothing."""

    @property
    def level(self) -> Level:
        return Level.KERNEL_NS


def test_the_check_finds_what_is_not_contained():
    """Only attacks that do this process no harm are tried in it."""
    harmless = [a for a in SHORT if a.name in {"read a secret file", "write a file", "open a socket"}]
    assert len(harmless) == 3
    results = selfcheck.check(Boastful(), harmless)
    assert [r.actual for r in results] == [THROUGH] * 3
    assert selfcheck.confirmed(Level.KERNEL_NS, results) is Level.RLIMITS


def test_a_canary_that_was_reached_is_a_row_of_its_own():
    connect = next(a for a in ATTACKS if a.name == "connect over loopback")
    write = next(a for a in ATTACKS if a.name == "write a file")
    rows = list(selfcheck.check_all(Boastful(), (connect, write)))
    assert rows[0] == ("connect over loopback", "contained", f"{THROUGH}: ", False)
    assert ("canary: TCP listener", "0 hits", "1 hits", False) in rows
    assert ("canary: files written", "0 hits", "1 hits", False) in rows
    assert ("canary: abstract socket", "0 hits", "0 hits", True) in rows


def test_nothing_is_tried_in_this_very_process():
    results = selfcheck.check(InProcessSandbox())
    assert not any(result.contained for result in results)
    assert selfcheck.confirmed(Level.NONE, results) is Level.NONE
