"""Where the store's tests write (SQLite always, PostgreSQL where it can be started), and records to write."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evaluators.records import (
    Candidate,
    Cost,
    Evaluation,
    Metric,
    Outcome,
    Score,
    Tag,
    Task,
    TaskResult,
)
from results.records import CampaignSpec, StoredEvaluation
from results.store import Store, open_store
from results.writer import CampaignWriter

METRIC = Metric(
    name="exploitability",
    label="exploitability (NashConv / N)",
    direction="min",
    scale="log",
    resolution=0.1,
    task="game",
    budget="iteration",
)


class Make:
    """Records whose every number and word follows from the ordinal."""

    start = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def clock(self):
        """A clock that is a second later each time."""
        seconds = itertools.count()
        return lambda: self.start + timedelta(seconds=next(seconds))

    def spec(self, name: str = "cfr-symbolic-s1", **changes) -> CampaignSpec:
        values = {
            "name": name,
            "domain": "cfr",
            "seed": 1,
            "objective": "train",
            "metric": METRIC,
            "plan": "train",
            "config": {"candidates": 100, "games": ["kuhn3", "leduc2"], "budget_usd": None},
            "versions": {"numpy": "2.4.6"},
            "machine": {"cores": 2},
            "git_commit": "9a8f191",
        }
        return CampaignSpec(**values | changes)

    def source(self, ordinal: int) -> str:
        return f"class RegretAccumulator:\n    weight = {ordinal}\n"

    def candidate(
        self,
        ordinal: int,
        program_id: str | None = None,
        *,
        outcome: str | None = "ok",
        message: str = "",
        **changes,
    ) -> Candidate:
        values = {"operator": "symbolic", "note": f"insert {ordinal}", "island": ordinal % 3}
        ended = None if outcome is None else Outcome(Tag(outcome), message)
        return Candidate(ordinal, program_id=program_id, outcome=ended, **values | changes)

    def evaluation(
        self,
        ordinal: int | None,
        program_id: str,
        tasks: int = 2,
        *,
        plan: str = "train",
        outcome: str = "ok",
        message: str = "",
        scores: dict[str, float] | None = None,
        cpu_s: float | None = None,
        **changes,
    ) -> StoredEvaluation:
        number = 0 if ordinal is None else ordinal
        means = {"train": 1.0 + number / 7, "worst": number / 3} if scores is None else scores
        values = {
            "isolation": "kernel+ns",
            "cost": Cost(0.5 + number if cpu_s is None else cpu_s, 1.5 + number, 0.25, 7),
            "log": f"printed {number}",
            "scores": {name: self.score(mean) for name, mean in means.items()},
            "stages": {"small games": Score(0.5 + number / 9, 0.125, 3)},
            "results": tuple(self.result(number, place) for place in range(tasks)),
        }
        evaluation = Evaluation(Outcome(Tag(outcome), message), **values | changes)
        return StoredEvaluation(ordinal, program_id, plan, evaluation)

    def score(self, mean: float) -> Score:
        return Score(mean, abs(mean) / 16, 8)

    def result(self, ordinal: int, place: int) -> TaskResult:
        """On an exact task at place 0, with a reference and a floor; on one with a seed, and neither, at others."""
        exact = place == 0
        curve = tuple((100 * (k + 1), 1 / (ordinal + k + 3)) for k in range(10))
        return TaskResult(
            task=Task(
                name=f"leduc2/generic-{place}" if place else "leduc2",
                family="leduc2",
                tier="exact" if exact else "generic",
                budget=1000,
                seed=None if exact else place,
            ),
            value=curve[-1][1],
            stderr=0.0 if exact else 0.015625,
            samples=1 if exact else 64,
            curve=curve,
            reference=((500, 0.5), (1000, 0.25)) if exact else (),
            uniform=4.7 + place,
            floor=1e-6 if exact else None,
            extra={} if exact else {"area": 0.5 + ordinal},
            cost=Cost(0.25, 0.75, 0.125, 3),
        )

    def store(self, writer: CampaignWriter, stored: StoredEvaluation) -> StoredEvaluation:
        """Record an evaluation, and give it back."""
        writer.record_evaluation(
            stored.evaluation, program_id=stored.program_id, ordinal=stored.ordinal, plan=stored.plan
        )
        return stored

    def record(
        self, writer: CampaignWriter, ordinal: int, *, tell: bool = True, parents=(), **evaluation
    ) -> str:
        """A candidate's whole life in one transaction; gives the program's id."""
        with writer.transaction():
            key = writer.add_program(self.source(ordinal), tree_hash=f"tree-{ordinal}")
            evaluated = self.evaluation(ordinal, key, **evaluation)
            outcome = evaluated.evaluation.outcome
            writer.record_candidate(
                self.candidate(
                    ordinal, key, parents=tuple(parents), outcome=outcome.tag, message=outcome.message
                )
            )
            self.store(writer, evaluated)
            if tell:
                writer.tell(ordinal)
        return key


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that does not exist yet, or is empty."""
    if request.param == "sqlite":
        return str(tmp_path / "new" / "evolve.db")
    return request.getfixturevalue("postgres_database")


@pytest.fixture
def store(where: str, make: Make) -> Iterator[Store]:
    with open_store(where, clock=make.clock()) as opened:
        yield opened


@pytest.fixture
def sqlite_store(tmp_path: Path, make: Make) -> Iterator[Store]:
    with open_store(tmp_path / "evolve.db", clock=make.clock()) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The directory of the socket of a PostgreSQL server that was started for these tests."""
    pytest.importorskip("psycopg", reason="PostgreSQL tests need the package psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL tests need a server in /usr/lib/postgresql (Debian: postgresql)")
    binaries = found[-1].parent
    # A socket's path is at most 107 bytes long, and initdb refuses to run as root.
    home = Path(subprocess.check_output(["mktemp", "-d", "-t", "evolve-pg-XXXXXX"], text=True).strip())
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user)

    def run(*command: str | Path) -> None:
        subprocess.run(command, user=user, check=True, stdout=subprocess.DEVNULL, cwd=home, timeout=60)

    data = home / "data"
    run(binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")
    options = f"-k {home} -c listen_addresses='' -c fsync=off"
    run(binaries / "pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options, "start")
    try:
        yield str(home)
    finally:
        run(binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(home)


@pytest.fixture
def postgres_database(postgres_server: str, request: pytest.FixtureRequest) -> str:
    import psycopg

    name = f"test_{abs(hash(request.node.nodeid))}"
    with psycopg.connect(f"host={postgres_server} user=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://postgres@/{name}?host={postgres_server}"
