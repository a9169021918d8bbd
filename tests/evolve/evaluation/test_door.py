"""The one door: what a campaign made runs in its kind of sandbox, at its level, under its limits, or not at all.

A daemon is not needed for what follows from what was demanded: `Container` stands for the Docker sandbox there. The
last tests are about the real one.
"""

import shutil
from contextlib import contextmanager
from typing import ClassVar

import pytest

from evaluators.records import Provenance, Tag
from evolve import api
from evolve.comparison import held_out
from evolve.comparison.held_out import Choice, promote
from evolve.config import CampaignConfig, parse_config
from evolve.distilling import start as distilling
from evolve.errors import ConfigError, IsolationError
from evolve.evaluation import job, service
from evolve.evaluation.job import close_sandboxes
from evolve.programs import find_program
from evolve.search import run as searching
from results import queries
from results.store import open_store
from sandbox.base import Level, SandboxFault, Verdict
from sandbox.process import ProcessSandbox

LIMITS = {"memory_mib": 300, "cpu_s": 7.0}
DEMANDED = Provenance("docker", "docker", LIMITS)
QUICK = {"tasks": ["kuhn2"], "tiers": ["exact"], "budget": 4, "candidates": 3, "baselines": ["cfr"]}


class Container(ProcessSandbox):
    """Announces the level of a container, and remembers the limits of its sessions."""

    opened: ClassVar[list] = []

    @property
    def level(self):
        return Level.DOCKER

    def open(self, guest, program, *, limits, **options):
        self.opened.append(limits)
        return super().open(guest, program, limits=limits, **options)


@pytest.fixture
def sandboxes(monkeypatch):
    """Has Docker sandboxes be `Container`s: a function that returns what was made since it was asked last."""
    made, kept = [], []

    def make(kind, modules):
        made.append(kind)
        kept.append(Container(modules=modules) if kind == "docker" else ProcessSandbox(modules=modules))
        return kept[-1]

    def new():
        close_sandboxes()
        found, made[:] = list(made), []
        limits, Container.opened[:] = list(Container.opened), []
        return found, limits

    monkeypatch.setattr(job, "make", make)
    monkeypatch.setattr(service, "make", make)
    close_sandboxes()
    Container.opened.clear()
    yield new
    close_sandboxes()
    for sandbox in kept:
        sandbox.close()


@pytest.fixture
def without_docker(monkeypatch):
    """A machine on which no daemon answers."""

    def make(kind, modules):
        if kind == "docker":
            raise SandboxFault(Verdict.SANDBOX_ERROR, "docker: no daemon answers")
        return ProcessSandbox(modules=modules)

    def take_away():
        monkeypatch.setattr(job, "make", make)
        monkeypatch.setattr(service, "make", make)
        close_sandboxes()

    yield take_away
    close_sandboxes()


@pytest.fixture
def here(monkeypatch):
    """Has every command evaluate in this process, in which sandboxes are replaced, and attacks none of them."""
    original = service.open_service

    @contextmanager
    def open_here(domain, **options):
        with original(domain, **(options | {"workers": 0, "attack": False})) as opened:
            yield opened

    for module in (searching, held_out, distilling):
        monkeypatch.setattr(module, "open_service", open_here)


def campaign(db, **options):
    """Run a small campaign in this process; `options` of its configuration."""
    required = {"sandbox": "docker", "min_isolation": "docker", "limits": LIMITS}
    config = parse_config(QUICK | required | {"name": "required"} | options)
    return searching.run(config, db=str(db), observer=lambda event: None)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Where the campaign that was required to run under docker is kept, once one test has run it."""
    return tmp_path_factory.mktemp("required") / "required.db"


@pytest.fixture
def required(sandboxes, here, db, template):
    """A database with a campaign that was required to run under docker."""
    if not template.exists():
        assert campaign(db).status == "finished"
        kinds, limits = sandboxes()
        assert set(kinds) == {"docker"}
        assert {(one.memory_mib, one.cpu_s) for one in limits} == {(300, 7.0)}
        shutil.copy(db, template)
    shutil.copy(template, db)
    return str(db)


def stored(db, name="required"):
    with open_store(db, read_only=True) as store, store.continue_campaign(name) as writer:
        return writer.load(), writer.load_programs()


def child(db):
    """The id of a program that the campaign made."""
    with open_store(db, read_only=True) as store:
        return next(c.program_id for c in queries.top(store, "required", n=9) if c.ordinal)


def test_what_a_campaign_demands_is_stored_with_what_it_made(required):
    state, programs = stored(required)
    made = {s.candidate.program_id for s in state.told if s.candidate.ordinal and s.candidate.program_id}
    assert made
    assert all(programs[key].provenance == DEMANDED for key in made)
    assert all(program.provenance is None for key, program in programs.items() if key not in made)
    assert {e.evaluation.isolation for s in state.told for e in s.evaluations} == {"docker"}


def evaluated(db, key):
    return api.evaluate(key, tasks=["kuhn2"], tiers=["exact"], budget=3, db=db)


def promoted(db, key=""):
    choice = Choice(finalists=1, tasks=["kuhn2"], horizons=[2], budget=2, baselines=["cfr"])
    with open_store(db) as store:
        return promote(store, "required", choice)


def distilled(db, key):
    choice = distilling.Choice(tasks=("kuhn2",), budget=3, evaluations=3)
    return distilling.distill(find_program(key, db=db), choice, on_step=lambda step: None)


def solved(db, key):
    with find_program(key, db=db).cfr_solver("kuhn2") as solver:
        solver.evaluate_and_update_policy()
        return solver.isolation


COMMANDS = {"promote": promoted, "evaluate": evaluated, "distill": distilled, "solve": solved}


@pytest.mark.parametrize("command", COMMANDS)
def test_it_runs_under_docker_and_under_the_campaigns_limits(required, sandboxes, command):
    COMMANDS[command](required, child(required))
    kinds, limits = sandboxes()
    assert set(kinds) == {"docker"}
    assert limits
    assert {(one.memory_mib, one.cpu_s) for one in limits} == {(300, 7.0)}


@pytest.mark.parametrize("command", COMMANDS)
def test_where_docker_is_not_there_the_refusal_names_what_is_missing(required, without_docker, command):
    without_docker()
    with pytest.raises(IsolationError, match=r"docker at level docker .* demands; docker: no daemon answers"):
        COMMANDS[command](required, child(required))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_sandbox_that_is_weaker_than_it_says_is_refused(required, monkeypatch, command):
    monkeypatch.setattr(Container, "level", Level.KERNEL)
    with pytest.raises(IsolationError, match=r"at least docker .* this machine achieves kernel"):
        COMMANDS[command](required, child(required))


def test_a_promotion_says_where_every_program_ran(required):
    found = promoted(required)
    assert {one.isolation for one in (*found.held_out, *found.checks)} == {"docker"}
    assert all(one.outcome.tag is Tag.OK for one in found.held_out)


def test_a_stored_program_does_not_run_in_process_unasked(required):
    key = child(required)
    with pytest.raises(ConfigError, match="stored program"):
        api.evaluate(key, tasks=["kuhn2"], budget=3, in_process=True, db=required)
    done = api.evaluate(key, tasks=["kuhn2"], budget=3, unsafe_in_process=True, db=required)
    assert done.isolation == "none"


def test_a_seed_demands_nothing(required, sandboxes):
    evaluated(required, "cfr_plus")
    assert sandboxes()[0] == ["process"]


def test_children_of_a_stored_program_inherit_what_it_demands(required, sandboxes):
    second = {"name": "second", "start": child(required), "sandbox": "process", "min_isolation": "rlimits"}
    campaign(required, **second, limits={"memory_mib": 200})
    kinds, limits = sandboxes()
    assert set(kinds) == {"docker"}
    assert {(one.memory_mib, one.cpu_s) for one in limits} == {(200, 7.0)}
    state, programs = stored(required, "second")
    made = {s.candidate.program_id for s in state.told if s.candidate.ordinal and s.candidate.program_id}
    expected = Provenance("docker", "docker", {"memory_mib": 200, "cpu_s": 7.0})
    assert all(programs[key].provenance == expected for key in made)


def test_of_two_campaigns_that_made_a_program_the_stricter_counts(sandboxes, here, db):
    lax = {"sandbox": "process", "min_isolation": "rlimits", "limits": {"memory_mib": 400, "wall_s": 60.0}}
    campaign(db, name="lax", **lax)
    campaign(db)
    first, second = ({s.candidate.program_id for s in stored(db, n)[0].told[1:]} for n in ("lax", "required"))
    both = (first & second) - {None}
    assert both
    _, programs = stored(db)
    merged = Provenance("docker", "docker", {"memory_mib": 300, "cpu_s": 7.0, "wall_s": 60.0})
    assert all(programs[key].provenance == merged for key in both)


@pytest.fixture
def real(db, docker_host):
    """A campaign that ran in containers."""
    config = CampaignConfig(name="required", sandbox="docker", min_isolation="docker", workers=1, **QUICK)
    assert searching.run(config, db=str(db), observer=lambda event: None).status == "finished"
    yield str(db)
    close_sandboxes()


@pytest.mark.docker
def test_under_a_real_daemon(real):
    state, _ = stored(real)
    assert {e.evaluation.isolation for s in state.told for e in s.evaluations} == {"docker"}
    assert {one.isolation for one in promoted(real).held_out} == {"docker"}
    key = child(real)
    assert evaluated(real, key).isolation == "docker"
    assert solved(real, key) == "docker"
    assert distilled(real, key).source


@pytest.mark.docker
def test_when_the_real_daemon_is_gone(real, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    close_sandboxes()
    for command in COMMANDS.values():
        with pytest.raises(IsolationError, match="expected docker at level docker or stronger"):
            command(real, child(real))
