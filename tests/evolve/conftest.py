"""What campaigns over `evaluators.testing.FakeDomain` need: operators, an executor, and ways to look at the result."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from evaluators.records import Provenance, Tag
from evaluators.testing import FakeDomain, fake_answer, fake_program
from evolve.config import CampaignConfig
from evolve.evaluation.service import EvaluationService
from evolve.operators.base import ProposalError
from evolve.search.blocks import block
from evolve.search.campaign import Campaign, Setup
from results.records import CampaignSpec
from results.store import open_store
from sandbox.inprocess import InProcessSandbox


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory):
    """Games are compiled once for all tests here, and into no user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("cache")
        patch.setenv("EVOLVE_CACHE_DIR", str(path))
        yield path


class ToyOperator:
    """A step from the parent; now and then a program that fails, is known, is no program, or none at all."""

    kind = "toy"
    num_parents = 1
    waits = False

    async def propose(self, parents, context, rng):
        x, _ = fake_answer(parents[0].source)
        kind = rng.random()
        if kind < 0.03:
            raise ProposalError("toy: expected an idea; none came.")
        if kind < 0.15:
            return context.child(self.kind, parents, "no program")
        fate = rng.choice([Tag.EXCEPTION, Tag.TIMEOUT]) if kind < 0.4 else Tag.OK
        source = fake_program(round(x + rng.gauss(0.2, 1.0), 1), fate)
        return context.child(self.kind, parents, source, "a step")


class ToyCrossover:
    kind = "crossover"
    num_parents = 2
    waits = False

    async def propose(self, parents, context, rng):
        (a, _), (b, _) = (fake_answer(p.source) for p in parents)
        return context.child(self.kind, parents, fake_program(round((a + b) / 2, 2)))


class ThreadExecutor(ThreadPoolExecutor):
    """Runs jobs of one domain object in threads, each after a delay that `delay()` gives."""

    def __init__(self, domain, workers, delay=lambda: 0.0):
        super().__init__(workers)
        self._domain, self._delay = domain, delay

    def submit(self, fn, domain, source, plan, against, sandbox):
        def run():
            time.sleep(self._delay())
            return self._domain.evaluate(source, plan, InProcessSandbox(), against=against)

        return super().submit(run)


class MortalWriter:
    """A writer of a process that dies when it has written `lives` times: nothing is written from then on."""

    class Crash(Exception):
        """The process died here."""

    _READING = frozenset({"load", "load_programs", "load_calls", "held_out", "transaction", "campaign"})

    def __init__(self, writer, lives):
        self._writer, self.lives = writer, lives

    def __getattr__(self, name):
        method = getattr(self._writer, name)
        if name in self._READING:
            return method

        def write(*arguments, **options):
            self.lives -= 1
            if self.lives < 0:
                raise self.Crash
            return method(*arguments, **options)

        return write


@pytest.fixture(scope="session")
def mortal():
    """The class of writers that die, each in the place of another one."""
    return MortalWriter


class Toy:
    """Runs toy campaigns on databases, and reads back what became of them."""

    Operator, Crossover, Executor = ToyOperator, ToyCrossover, ThreadExecutor
    program = staticmethod(fake_program)

    @staticmethod
    def Domain(**options):
        return FakeDomain("toy", **options)

    @staticmethod
    def config(**options):
        return CampaignConfig(
            **({"domain": "toy", "name": "toy", "candidates": 12, "workers": 2, "attempts": 2} | options)
        )

    @staticmethod
    def run(
        db,
        config,
        *,
        operator=None,
        crossover=None,
        domain=None,
        wrap=None,
        delay=lambda: 0.0,
        seen=None,
        founders=(),
    ):
        """Run a campaign, or continue it.

        `wrap` replaces the writer by another; `seen(campaign, event)` watches; `founders` are the seed programs.
        """
        domain = domain or FakeDomain("toy")
        spec = CampaignSpec(
            name=config.campaign_name,
            domain="toy",
            metric=domain.metric,
            seed=config.seed,
            objective="score",
            plan="search",
            config=config.model_dump(mode="json"),
            versions={},
            machine={},
        )
        setup = Setup(
            config=config,
            domain=domain,
            plan=block(domain, config, 0),
            founders=founders or (domain.seed_source(domain.seed),),
            baselines={name: domain.seed_source(name) for name in domain.baselines},
            operator=operator or ToyOperator(),
            crossover=crossover or ToyCrossover(),
            demanded=Provenance("none"),
        )
        with open_store(db) as store, ThreadExecutor(domain, config.workers, delay) as executor:
            known = store.find_campaign(spec.name)
            with store.continue_campaign(spec.name) if known else store.begin_campaign(spec) as writer:
                service = EvaluationService("toy", executor, config.workers)
                observer = (lambda event: seen(campaign, event)) if seen else (lambda event: None)
                campaign = Campaign(setup, wrap(writer) if wrap else writer, service, observer)
                return asyncio.run(campaign.run())


@pytest.fixture(scope="session")
def toy():
    return Toy


@pytest.fixture(scope="session")
def empty_db(tmp_path_factory):
    """A database with the schema and nothing in it, to copy: making one takes longer than a toy campaign."""
    path = tmp_path_factory.mktemp("db") / "empty.db"
    open_store(path).close()
    return path


@pytest.fixture
def new_db(tmp_path, empty_db):
    """Makes databases, each call another one."""
    count = iter(range(10_000))

    def make():
        path = tmp_path / f"{next(count)}.db"
        path.write_bytes(empty_db.read_bytes())
        return path

    return make


@pytest.fixture
def db(new_db):
    return new_db()


def stored_campaign(db, name):
    """All that a campaign decided, candidate by candidate; measured times are left out."""
    with open_store(db, read_only=True) as store, store.continue_campaign(name) as writer:
        state, programs = writer.load(), writer.load_programs()
    assert not state.pending
    rows = []
    for stored in state.told:
        scores = {e.plan: dict(e.evaluation.scores) for e in stored.evaluations}
        curves = {e.plan: [(r.task, r.curve) for r in e.evaluation.results] for e in stored.evaluations}
        source = programs[stored.candidate.program_id].source if stored.candidate.program_id else None
        rows.append((stored.candidate, source, scores, curves))
    return rows


@pytest.fixture(scope="session")
def contents():
    return stored_campaign


@pytest.fixture(scope="session")
def evolve_command(cache_dir):
    """Starts the command line in a process of its own; `options` are `subprocess.Popen`'s."""
    code = "from evolve.cli.app import main; main()"

    def start(*arguments, env=None, **options):
        environment = {k: v for k, v in os.environ.items() if k != "EVOLVE_DB"} | (env or {})
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)], env=environment, **(pipes | options)
        )

    return start


@pytest.fixture(scope="session")
def evolve_run(evolve_command):
    """Runs the command line to its end: (exit code, standard output, standard error)."""

    def run(*arguments, timeout=120, **options):
        process = evolve_command(*arguments, **options)
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err

    return run


@pytest.fixture(scope="session")
def json_lines():
    return lambda text: [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def jitter():
    """Evaluation times that differ from run to run."""
    generator = random.SystemRandom()
    return lambda: generator.uniform(0.0, 0.01)
