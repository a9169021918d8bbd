"""The sandbox that a campaign asks for, and what it says about the one that it gets."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from benchmarks.soak import soak
from evolve.config import parse_config
from evolve.errors import ConfigError, IsolationError
from evolve.evaluation import isolation
from evolve.evaluation.isolation import Found
from evolve.evaluation.job import warm_sandbox
from sandbox.attacks import ATTACKS, THROUGH, Result
from sandbox.base import Level, SandboxFault, Verdict


class Fixed:
    """An executor whose worker found `came`, or failed with it."""

    def __init__(self, came):
        self.came = came

    def submit(self, *_):
        future = Future()
        if isinstance(self.came, Exception):
            future.set_exception(self.came)
        else:
            future.set_result(self.came)
        return future


def achieved(came, **fields):
    return isolation.achieved(Fixed(came), ("numpy",), parse_config(fields))


@pytest.mark.parametrize(
    ("operator", "level"), [("symbolic", Level.RLIMITS), ("llm", Level.KERNEL), ("new", Level.KERNEL)]
)
def test_the_default_minimum_rises_as_soon_as_a_model_writes(operator, level):
    assert isolation.default_minimum(operator) is level
    config = parse_config({"operator": operator})
    assert isolation.minimum(config) is level
    assert isolation.minimum(config.model_copy(update={"min_isolation": "docker"})) is Level.DOCKER


def test_an_unknown_level_is_named():
    with pytest.raises(
        ConfigError, match=r"min_isolation level: expected one of none, rlimits.*got 'kernal'"
    ):
        isolation.minimum(parse_config({"min_isolation": "kernal"}))


def test_a_full_sandbox_is_not_spoken_of(caplog):
    assert achieved(Found(Level.KERNEL_NS, {}, ())) == "kernel+ns"
    assert caplog.records == []


def test_a_layer_that_is_off_is_one_warning(caplog):
    off = {
        "seccomp": "off: no table of system calls for riscv64",
        "namespaces": "off: Operation not permitted",
    }
    assert achieved(Found(Level.RLIMITS, off, ())) == "rlimits"
    (record,) = caplog.records
    assert record.getMessage() == (
        "evolve: the sandbox runs at level rlimits: seccomp off: no table of system calls for riscv64; "
        "namespaces off: Operation not permitted."
    )


def test_an_attack_that_got_through_is_named(caplog):
    achieved(Found(Level.RLIMITS, {}, ("open a socket",)))
    assert "'open a socket' got through" in caplog.text


def test_a_refusal_names_the_reason_and_the_flag():
    off = {"landlock": "off: Operation not supported"}
    with pytest.raises(IsolationError) as caught:
        achieved(Found(Level.RLIMITS, off, ()), operator="llm")
    assert caught.value.message == (
        "isolation: expected at least kernel (for operator llm); this machine achieves rlimits "
        "(landlock off: Operation not supported)."
    )
    assert "--min-isolation rlimits accepts it" in caught.value.hint
    with pytest.raises(IsolationError, match=r"at least kernel\+ns \(as configured\)"):
        achieved(Found(Level.KERNEL, {}, ()), min_isolation="kernel+ns")


def test_a_sandbox_that_does_not_start_is_one_line():
    fault = SandboxFault(Verdict.SANDBOX_ERROR, "docker: no daemon answers")
    with pytest.raises(IsolationError, match="sandbox: docker: no daemon answers"):
        achieved(fault, sandbox="docker")


def test_faults_survive_the_way_from_a_worker():
    import pickle

    fault = pickle.loads(pickle.dumps(SandboxFault(Verdict.MEMORY, "too much")))
    assert (fault.verdict, fault.message, str(fault)) == (Verdict.MEMORY, "too much", "memory: too much")


@pytest.fixture
def workers_sandbox():
    """Whatever a worker keeps warm ends with the test."""
    yield
    warm_sandbox(("numpy",), "process").close()
    warm_sandbox.cache_clear()


def test_a_worker_finds_out(monkeypatch, workers_sandbox):
    found = isolation.probe(("numpy",), "process")
    assert found.level >= Level.RLIMITS
    broken = Result(next(a for a in ATTACKS if a.name == "open a socket"), THROUGH, "")
    monkeypatch.setattr(isolation, "check", lambda sandbox: [broken])
    found = isolation.probe(("numpy",), "process")
    if "landlock" not in found.off:
        assert (found.level, found.through) == (Level.RLIMITS, ("open a socket",))


def test_a_soak_leaves_nothing_and_judges_every_candidate():
    report = soak(200)
    assert report.wrong == ()
    assert (report.candidates, report.hostile) == (200, 20)
