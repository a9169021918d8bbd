from __future__ import annotations

from sandbox import selfcheck
from sandbox.base import Level
from sandbox.inprocess import InProcessSandbox


def test_a_process_sandbox_contains_what_its_level_promises(runner):
    findings = selfcheck.check(runner)
    assert selfcheck.confirmed(runner.level, findings) == runner.level
    if runner.level >= Level.KERNEL:
        assert [f for f in findings if not f.contained] == []
        details = {f.attack: f.detail for f in findings}
        assert details["endless loop"] == "cpu_limit: used more than 1 s of CPU"
        assert details["trace the parent"].startswith("violation")
        assert details["read the environment"] == "had no effect"


class Boastful(InProcessSandbox):
    """Claims a level and contains nothing."""

    @property
    def level(self) -> Level:
        return Level.KERNEL_NS


def test_the_check_finds_what_is_not_contained(monkeypatch):
    """Only attacks that do this process no harm are tried in it."""
    harmless = [
        a for a in selfcheck._ATTACKS if a.name in {"read a secret file", "write a file", "open a socket"}
    ]
    monkeypatch.setattr(selfcheck, "_ATTACKS", tuple(harmless))
    findings = selfcheck.check(Boastful())
    assert findings == [selfcheck.Finding(a.name, False, "GOT THROUGH") for a in harmless]
    assert selfcheck.confirmed(Level.KERNEL_NS, findings) is Level.RLIMITS


def test_nothing_is_tried_in_this_very_process():
    findings = selfcheck.check(InProcessSandbox())
    assert not any(finding.contained for finding in findings)
    assert selfcheck.confirmed(Level.NONE, findings) is Level.NONE
