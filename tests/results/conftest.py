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

from results.records import CampaignSpec, CandidateRecord, CurveRecord, EvaluationRecord
from results.store import Store, open_store
from results.writer import CampaignWriter


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
            "plan": "train",
            "config": {"candidates": 100, "games": ["kuhn3", "leduc2"], "budget_usd": None},
            "versions": {"numpy": "2.4.6"},
            "machine": {"cores": 2},
            "git_commit": "9a8f191",
        }
        return CampaignSpec(**values | changes)

    def source(self, ordinal: int) -> str:
        return f"class RegretAccumulator:\n    weight = {ordinal}\n"

    def candidate(self, ordinal: int, program_id: str | None = None, **changes) -> CandidateRecord:
        values = {"operator": "symbolic", "note": f"insert {ordinal}", "island": ordinal % 3, "outcome": "ok"}
        return CandidateRecord(ordinal=ordinal, program_id=program_id, **values | changes)

    def evaluation(
        self, ordinal: int | None, program_id: str, curves: int = 2, **changes
    ) -> EvaluationRecord:
        number = 0 if ordinal is None else ordinal
        values = {
            "plan": "train",
            "outcome": "ok",
            "isolation": "kernel+ns",
            "cpu_s": 0.5 + number,
            "wall_s": 1.5 + number,
            "log": f"printed {number}",
            "scores": {"train": 1.0 + number / 7, "worst": number / 3},
            "curves": tuple(self.curve(number, place) for place in range(curves)),
        }
        return EvaluationRecord(ordinal=ordinal, program_id=program_id, **values | changes)

    def curve(self, ordinal: int, place: int) -> CurveRecord:
        return CurveRecord(
            instance=f"leduc2/generic-{place}",
            game="leduc2",
            variant=f"generic-{place}",
            iterations=1000,
            game_string="leduc_poker(players=2)",
            uniform=4.7 + place,
            points=tuple((100 * (k + 1), 1 / (ordinal + k + 3)) for k in range(10)),
            cpu_s=0.25,
            wall_s=0.75,
            candidate_cpu_s=0.125,
        )

    def record(
        self, writer: CampaignWriter, ordinal: int, *, tell: bool = True, parents=(), **evaluation
    ) -> str:
        """A candidate's whole life in one transaction; gives the program's id."""
        with writer.transaction():
            key = writer.add_program(self.source(ordinal), tree_hash=f"tree-{ordinal}")
            evaluated = self.evaluation(ordinal, key, **evaluation)
            writer.record_candidate(
                self.candidate(ordinal, key, parents=tuple(parents), outcome=evaluated.outcome)
            )
            writer.record_evaluation(evaluated)
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
