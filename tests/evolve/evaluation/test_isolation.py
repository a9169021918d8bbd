"""What programs demand of the sandbox, what the machine achieves, and what is said where it is less."""

from __future__ import annotations

import pytest

from evaluators.records import LEVELS, Provenance
from evolve.config import parse_config
from evolve.errors import ConfigError, IsolationError
from evolve.evaluation import isolation
from evolve.evaluation.isolation import Probe, protection, require, strictest
from evolve.evaluation.job import close_sandboxes
from sandbox.attacks import ATTACKS, THROUGH
from sandbox.base import Level, SandboxFault, Verdict
from sandbox.selfcheck import Result


def refused(probe, minimum, sandbox="process"):
    with pytest.raises(IsolationError) as caught:
        require(probe.level, Provenance(minimum, sandbox), reasons=probe.reasons)
    return caught.value


@pytest.mark.parametrize(
    ("operator", "level"), [("symbolic", Level.RLIMITS), ("llm", Level.KERNEL), ("new", Level.KERNEL)]
)
def test_the_default_minimum_rises_as_soon_as_a_model_writes(operator, level):
    assert isolation.default_minimum(operator) is level
    config = parse_config({"operator": operator})
    assert protection(config).minimum == level.label
    assert protection(config.model_copy(update={"min_isolation": "docker"})).minimum == "docker"


def test_an_unknown_level_is_named():
    with pytest.raises(
        ConfigError, match=r"min_isolation level: expected one of none, rlimits.*got 'kernal'"
    ):
        protection(parse_config({"min_isolation": "kernal"}))


def test_a_campaign_demands_its_level_its_sandbox_and_its_limits():
    config = parse_config({"sandbox": "docker", "min_isolation": "docker", "limits": {"memory_mib": 64}})
    assert protection(config) == Provenance("docker", "docker", {"memory_mib": 64})


def test_children_of_a_stored_program_inherit_what_it_demands():
    config = parse_config({"min_isolation": "rlimits", "limits": {"memory_mib": 64, "cpu_s": 9.0}})
    start = Provenance("docker", "docker", {"memory_mib": 128, "cpu_s": 1.0})
    assert protection(config, start=start) == Provenance("docker", "docker", {"memory_mib": 64, "cpu_s": 1.0})


def test_the_strictest_satisfies_all():
    both = strictest([None, Provenance("kernel"), Provenance("rlimits", "gvisor", {"cpu_s": 2.0}), None])
    assert both == Provenance("kernel", "gvisor", {"cpu_s": 2.0})
    assert strictest([None]) == Provenance("none")


def test_the_levels_of_records_are_those_of_the_sandbox():
    assert tuple(level.label for level in sorted(Level)) == LEVELS


def test_a_full_sandbox_is_not_spoken_of(caplog):
    require(Level.KERNEL_NS, Provenance("kernel"))
    assert caplog.records == []


def test_a_layer_that_is_off_is_one_warning(caplog):
    off = {
        "seccomp": "off: no table of system calls for riscv64",
        "namespaces": "off: Operation not permitted",
    }
    probe = Probe(Level.RLIMITS, off, ())
    require(probe.level, Provenance("rlimits"), reasons=probe.reasons)
    (record,) = caplog.records
    assert record.getMessage() == (
        "evolve: the sandbox runs at level rlimits: seccomp off: no table of system calls for riscv64; "
        "namespaces off: Operation not permitted."
    )


def test_an_attack_that_got_through_is_named():
    assert Probe(Level.RLIMITS, {}, ("open a socket",)).reasons == "'open a socket' got through"


def test_a_refusal_names_the_level_that_is_missing_the_reason_and_the_flag():
    off = {"landlock": "off: Operation not supported"}
    refusal = refused(Probe(Level.RLIMITS, off, ()), "kernel")
    assert refusal.message == (
        "isolation: expected at least kernel (process sandbox), which the program or its campaign demands; this"
        " machine achieves rlimits (landlock off: Operation not supported)."
    )
    assert "--min-isolation rlimits" in refusal.hint
    assert (
        "at least kernel+ns (docker sandbox)"
        in refused(Probe(Level.KERNEL, {}, ()), "kernel+ns", "docker").message
    )


def test_faults_survive_the_way_from_a_worker():
    import pickle

    fault = pickle.loads(pickle.dumps(SandboxFault(Verdict.MEMORY, "too much")))
    assert (fault.verdict, fault.message, str(fault)) == (Verdict.MEMORY, "too much", "memory: too much")


@pytest.fixture
def workers_sandbox():
    """Whatever a worker keeps warm ends with the test."""
    yield
    close_sandboxes()


def test_a_worker_tries_its_own_sandbox(monkeypatch, workers_sandbox):
    probe = isolation.probe(("numpy",), "process")
    assert probe.level >= Level.RLIMITS
    broken = Result(next(a for a in ATTACKS if a.name == "open a socket"), THROUGH, "")
    monkeypatch.setattr(isolation, "check", lambda sandbox: [broken])
    assert isolation.probe(("numpy",), "process") == probe, "a sandbox is attacked once"
    isolation._ATTACKED.clear()
    probe = isolation.probe(("numpy",), "process")
    if "landlock" not in probe.off:
        assert (probe.level, probe.through) == (Level.RLIMITS, ("open a socket",))
