"""Databases to look at: a small campaign with everything in it, a hostile one, a large one; and browsers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from evaluators.records import Outcome, Tag, Task
from results.dashboard.app import ADDRESS, create_app, listen
from results.database import writing
from results.records import CallRecord, HeldOutEvaluation
from results.schema import Candidate, Evaluation, Parent, Program, Score, storable
from results.store import Store, open_store
from results.writer import CampaignWriter

OPERATORS = ("symbolic", "llm", "crossover")
OUTCOMES = ("ok", "ok", "ok", "early_stopped", "timeout", "exception")

ATTACK = (
    "</script></pre></title><script>window.pwned='tag'</script>"
    '<img src=x onerror="window.pwned=1"><svg onload="window.pwned=2">'
    '" onmouseover="window.pwned=3" autofocus onfocus=\'window.pwned=4\' '
    '<a href="javascript:window.pwned=5">x</a>{{ 7 * 7 }}{% raw %}&lt;script&gt;'
)
"""Written wherever a candidate or a model may write."""

UNSEEN = "\x1b[31mred\x07\u202egnp.exe\u2066\ufeff\x00"
"""Characters that a terminal or a browser obeys without showing them."""


class Making:
    """Campaigns in databases, by the records of `make`."""

    def __init__(self, make) -> None:
        self.make = make

    def small(self, where: Path, name: str = "first", candidates: int = 12) -> None:
        """A campaign with parents, a baseline, a failed candidate, calls, a held-out evaluation and an event."""
        with (
            open_store(where, clock=self.make.clock()) as store,
            store.begin_campaign(self.make.spec(name)) as writer,
        ):
            self.baseline(writer)
            keys = [self.make.record(writer, 0)]
            for ordinal in range(1, candidates):
                keys.append(self.candidate(writer, ordinal, keys[-1]))
            writer.record_candidate(
                self.make.candidate(
                    candidates, operator="llm", outcome="rejected", message="no class", note=""
                )
            )
            writer.tell(candidates)
            self.call(writer, 2)
            writer.record_held_out(
                HeldOutEvaluation(
                    program_id=keys[1],
                    task=Task("kuhn4", "kuhn4", "exact", 300),
                    outcome=Outcome(Tag.OK),
                    value=0.012,
                    stderr=0.0,
                    score=2.0,
                    isolation="kernel",
                    purpose="promotion",
                )
            )
            writer.add_event("resumed", {"by": "test"})
            writer.set_status("finished")

    def baseline(self, writer: CampaignWriter, name: str = "plain") -> str:
        source = f"class Plain:\n    name = {name!r}\n"
        key = writer.add_program(source, tree_hash=name, name=name)
        self.make.store(writer, self.make.evaluation(None, key, scores={"train": 1.5}))
        return key

    def candidate(self, writer: CampaignWriter, ordinal: int, parent: str, **changes) -> str:
        """A told candidate with one parent."""
        with writer.transaction():
            source = changes.pop("source", self.make.source(ordinal))
            name = changes.pop("name", "")
            key = writer.add_program(source, tree_hash=f"tree-{ordinal}", name=name)
            evaluated = self.make.evaluation(ordinal, key, **changes.pop("evaluation", {}))
            values = {
                "operator": OPERATORS[ordinal % 3],
                "outcome": evaluated.evaluation.outcome.tag,
                "parents": (parent,),
            }
            writer.record_candidate(self.make.candidate(ordinal, key, **values | changes))
            self.make.store(writer, evaluated)
            writer.tell(ordinal)
        return key

    def call(self, writer: CampaignWriter, ordinal: int, text: str = "an answer", **changes) -> None:
        call = CallRecord(
            ordinal=ordinal,
            attempt=0,
            model="gemini:flash",
            request_hash="0" * 64,
            messages=(("system", "You improve programs."), ("user", text)),
            **changes,
        )
        answered = replace(
            call, state="answered", answer=text, stop="end", answered_by="flash", input_tokens=1200, output_tokens=340,
            cost_usd=0.0123, latency_s=4.5,
        )  # fmt: skip
        writer.end_call(writer.begin_call(call), answered)

    def hostile(self, where: Path) -> None:
        """A campaign in which everything that a candidate or a model writes attacks the reader."""
        spec = self.make.spec("hostile" + ATTACK, config={"note": ATTACK})
        with (
            open_store(where, clock=self.make.clock()) as store,
            store.begin_campaign(spec) as writer,
        ):
            self.baseline(writer)
            seed = self.make.record(writer, 0)
            bad = f"# {ATTACK}{UNSEEN}\nclass A:\n    '''{ATTACK}'''\n"
            text = ATTACK + UNSEEN
            named = {"name": text, "source": bad, "note": text, "message": text, "operator": text}
            self.candidate(
                writer, 1, seed, evaluation={"log": text, "message": text, "outcome": "ok"}, **named
            )
            writer.record_candidate(
                self.make.candidate(
                    2, operator="llm", outcome="rejected", message="=cmd|' /C calc'!A0", note=text
                )
            )
            writer.tell(2)
            self.call(writer, 1, text)
            writer.add_event(text, {"what": text})

    def large(self, where: Path, candidates: int = 10_000) -> None:
        """A campaign of very many programs, each with a score."""
        with open_store(where, clock=self.make.clock()) as store:
            store.begin_campaign(self.make.spec("large")).close()
            with writing(store._engine) as connection:
                for table, rows in self._rows(candidates):
                    connection.execute(insert(table), rows)

    def _rows(self, count: int):
        ids = [f"{ordinal:064x}" for ordinal in range(count)]
        yield Program, [{"id": key, "tree_hash": key, "name": "", "source": "x = 1\n"} for key in ids]
        start = self.make.start
        outcomes = [OUTCOMES[k % len(OUTCOMES)] for k in range(count)]
        yield Candidate, [
            {
                "campaign_id": 1, "ordinal": k, "program_id": key, "operator": OPERATORS[k % 3], "note": f"change {k}",
                "island": k % 4, "outcome": outcomes[k], "message": "", "created_at": start + timedelta(seconds=k),
                "told_at": start + timedelta(seconds=k),
            }
            for k, key in enumerate(ids)
        ]  # fmt: skip
        yield (
            Parent,
            [
                {"campaign_id": 1, "ordinal": k, "position": 0, "program_id": ids[k // 2]}
                for k in range(1, count)
            ],
        )
        yield Evaluation, [
            {
                "id": k + 1, "campaign_id": 1, "ordinal": k, "program_id": key, "plan": "train", "outcome": outcomes[k],
                "message": "", "isolation": "kernel", "cpu_s": 0.5, "wall_s": 0.6, "candidate_cpu_s": 0.1,
                "oracle_calls": 0, "stages": None, "log": "", "finished_at": start,
            }
            for k, key in enumerate(ids)
        ]  # fmt: skip
        yield (
            Score,
            [
                {
                    "evaluation_id": k + 1,
                    "name": "train",
                    "mean": (k * 7919 % 10007) / 10007,
                    "stderr": 0.0,
                    "n": 1,
                }
                for k in range(count)
                if outcomes[k] == "ok"
            ],
        )


@pytest.fixture(scope="session")
def making(make) -> Making:
    return Making(make)


@pytest.fixture(scope="session")
def attack() -> str:
    return ATTACK


@pytest.fixture(scope="session")
def stored_attack() -> str:
    """What the database keeps of the text that candidates and models wrote."""
    return storable(ATTACK + UNSEEN)


@pytest.fixture(scope="session")
def small_database(making: Making, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "evolve.db"
    making.small(path, "first")
    making.small(path, "second", candidates=4)
    return path


@pytest.fixture(scope="session")
def hostile_database(making: Making, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "evolve.db"
    making.hostile(path)
    return path


@pytest.fixture(scope="session")
def large_database(making: Making, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "evolve.db"
    making.large(path)
    return path


def client(where: Path | str) -> TestClient:
    """A client that names a host which is answered."""
    return TestClient(create_app(where), base_url=f"http://{ADDRESS}:8000")


@pytest.fixture(scope="session")
def small(small_database: Path) -> Iterator[TestClient]:
    with client(small_database) as opened:
        yield opened


@pytest.fixture(scope="session")
def hostile(hostile_database: Path) -> Iterator[TestClient]:
    with client(hostile_database) as opened:
        yield opened


@pytest.fixture(scope="session")
def large(large_database: Path) -> Iterator[TestClient]:
    with client(large_database) as opened:
        yield opened


@pytest.fixture
def viewing():
    """Opens a client on a database."""
    return client


@pytest.fixture(scope="session")
def served() -> Iterator[Callable[[Path], str]]:
    """Starts a real server on a database, in a thread and once, and gives its address."""
    import uvicorn

    running: dict[Path, tuple[str, uvicorn.Server, threading.Thread]] = {}

    def start(where: Path) -> str:
        if where not in running:
            socket = listen(0)
            server = uvicorn.Server(uvicorn.Config(create_app(where), log_level="warning"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
            thread.start()
            running[where] = f"http://{ADDRESS}:{socket.getsockname()[1]}", server, thread
        return running[where][0]

    yield start
    for _, server, thread in running.values():
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def live_store(tmp_path: Path) -> Iterator[Store]:
    """A database that is written while it is looked at."""
    with open_store(tmp_path / "live.db") as store:
        yield store
