"""The barrier: an exception of ours is the outcome of the one candidate that it struck, and no campaign's end."""

from types import SimpleNamespace

import pytest

from evaluators.records import Tag
from evaluators.testing import FakeDomain
from evolve.errors import EngineFault
from evolve.operators.base import ScriptedOperator
from evolve.search import population as populations
from evolve.search.events import Told
from results import queries
from results.errors import DatabaseError
from results.store import open_store

STRUCK = 3
"""The candidate that a fault strikes."""


class Fault(ZeroDivisionError):
    """A mistake in our own code."""


class Stepping:
    """A working program for each candidate, another one each time; `fault` strikes in the proposals of `struck`."""

    kind, num_parents, waits = "stepping", 1, False

    def __init__(self, toy, struck=()):
        self.program, self.struck, self.asked, self.logs = toy.program, struck, [], {}

    async def propose(self, parents, context, rng):
        self.asked.append(context.ordinal)
        self.logs[context.ordinal] = context.log
        if context.ordinal in self.struck:
            raise Fault("in propose")
        return context.child(self.kind, parents, self.program(round(0.1 * context.ordinal, 1)))


class Broken:
    """A writer that fails to store one candidate's program and evaluation, after what came before was written."""

    def __init__(self, writer, source):
        self._writer, self._source = writer, source

    def __getattr__(self, name):
        return getattr(self._writer, name)

    def record(self, candidate, plan, **options):
        stored = self._writer.record(candidate, plan, **options)
        if candidate.source == self._source:
            raise Fault("in the writer")
        return stored


class Careless(FakeDomain):
    """A domain whose check, or whose evaluation, fails by itself on one program."""

    def __init__(self, *, at="", source=""):
        super().__init__("toy")
        self._at, self._source = at, source

    def check(self, source):
        if self._at == "check" and source == self._source:
            raise Fault("in check")
        super().check(source)

    def scores(self, results):
        if self._at == "scores" and self.evaluated[-1:] == [self._source]:
            raise Fault("in scores")
        return super().scores(results)


@pytest.fixture
def struck(toy, db, contents, monkeypatch):
    """Runs a campaign in which a fault strikes one candidate somewhere: what became of it."""

    def run(where, *, candidates=8, workers=1, runs=1):
        source = toy.program(round(0.1 * STRUCK, 1))
        operator = Stepping(toy, {STRUCK} if where == "propose" else ())
        options = {"operator": operator}
        if where in ("check", "scores"):
            options["domain"] = Careless(at=where, source=source)
        elif where == "worker":
            options["domain"] = domain = toy.Domain()
            monkeypatch.setattr(domain, "run", failing(domain.run, source))
        elif where == "record":
            options["wrap"] = lambda writer: Broken(writer, source)
        elif where == "tell":
            monkeypatch.setattr(populations, "tell", failing_tell(populations.tell))
        elif where == "choose":
            monkeypatch.setattr(populations, "choose", failing_choose(populations.choose))
        config = toy.config(candidates=candidates, crossover=0.0, attempts=3, workers=workers, lookahead=3)
        order = []

        def seen(_, event):
            if isinstance(event, Told):
                order.append(event.candidate.ordinal)

        for _ in range(runs):
            summary = toy.run(db, config, seen=seen, **options)
        with open_store(db, read_only=True) as store:
            events = queries.events(store, "toy")
        return SimpleNamespace(
            summary=summary, rows=contents(db, "toy"), operator=operator, events=events, order=order, db=db
        )

    return run


def failing(run, source):
    def fail(program, task, sandbox, limits):
        if program == source:
            raise Fault("in the worker")
        return run(program, task, sandbox, limits)

    return fail


def failing_tell(tell):
    def fail(population, ordinal, member):
        if ordinal == STRUCK and member is not None:
            raise Fault("in tell")
        return tell(population, ordinal, member)

    return fail


def failing_choose(choose):
    def fail(population, ordinal, count, rng):
        if ordinal == STRUCK:
            raise Fault("in choose")
        return choose(population, ordinal, count, rng)

    return fail


PLACES = (
    "choose",
    "propose",
    "check",
    "worker",
    "scores",
    "record",
    "tell",
)


def traceback_of(found):
    """The stored traceback of the candidate: with its evaluation, or as an event of the campaign."""
    logs = [
        e.payload["log"] for e in found.events if e.kind == "engine_error" and e.payload["ordinal"] == STRUCK
    ]
    with open_store(found.db, read_only=True) as store, store.continue_campaign("toy") as writer:
        stored = writer.load().told[STRUCK].evaluations
    return [*logs, *(e.evaluation.log for e in stored if e.evaluation.outcome.tag is Tag.ENGINE_ERROR)]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("where", PLACES)
def test_a_fault_is_the_outcome_of_its_candidate_alone(struck, where, workers):
    found = struck(where, workers=workers)
    assert found.summary.status == "finished"
    assert found.summary.outcomes == {"engine_error": 1, "ok": 7}
    assert found.order == list(range(8))
    outcome = found.rows[STRUCK][0].outcome
    assert (outcome.tag, outcome.message[:10]) == (Tag.ENGINE_ERROR, "Fault: in ")
    assert all(row[0].outcome.ok for row in found.rows if row[0].ordinal != STRUCK)
    (traceback,) = traceback_of(found)
    assert traceback.startswith("Traceback (most recent call last)")
    assert "Fault: in " in traceback


@pytest.mark.parametrize("where", PLACES)
def test_a_fault_is_not_tried_again_and_never_a_parent(struck, where):
    found = struck(where)
    assert found.operator.asked.count(STRUCK) == (where != "choose")
    program = found.rows[STRUCK][0].program_id
    assert program is None or all(program not in row[0].parents for row in found.rows)


@pytest.mark.parametrize("where", PLACES)
def test_a_continued_campaign_does_not_run_into_it_again(struck, where):
    found = struck(where, runs=2)
    assert found.order == list(range(8))
    assert found.summary.outcomes == {"engine_error": 1, "ok": 7}


def test_operators_look_back_on_all_candidates_but_those(struck):
    found = struck("worker")
    log = found.operator.logs[7]
    assert len(log) == 5
    assert log.outcomes == {"ok": 4}
    assert log.failed(9) == []
    assert all(
        c.ordinal != STRUCK for parent in found.rows[:5] for c in log.children(parent[0].program_id or "", 9)
    )


@pytest.mark.parametrize(("most", "told"), [(5, 6), (2, 3)])
def test_so_many_in_a_row_end_the_campaign_and_the_next_run_goes_on(toy, db, contents, most, told):
    operator = Stepping(toy, range(1, 9))
    config = toy.config(candidates=12, crossover=0.0, lookahead=2, max_engine_errors=most)
    with pytest.raises(EngineFault, match=rf"{most} candidates in a row .*: Fault: in propose") as caught:
        toy.run(db, config, operator=operator)
    assert f"evolve results show toy:{told - 1}" in caught.value.hint
    with open_store(db, read_only=True) as store:
        assert store.find_campaign("toy").status == "interrupted"
        assert queries.told_candidates(store, "toy") == told
    again = Stepping(toy)
    summary = toy.run(db, config, operator=again)
    assert summary.status == "finished"
    rows = [candidate.outcome.tag for candidate, *_ in contents(db, "toy")]
    assert rows[:told] == [Tag.OK] + [Tag.ENGINE_ERROR] * most
    assert again.asked
    assert min(again.asked) >= told


def test_faults_that_are_not_in_a_row_end_nothing(toy, db):
    config = toy.config(candidates=20, crossover=0.0, max_engine_errors=2)
    summary = toy.run(db, config, operator=Stepping(toy, range(1, 20, 2)))
    assert summary.outcomes == {"engine_error": 10, "ok": 10}


def test_a_database_that_cannot_be_written_is_nobodys_fault_but_the_machines(toy, db):
    class Full(Stepping):
        async def propose(self, parents, context, rng):
            raise DatabaseError("database: expected room to write; the disk is full.")

    with pytest.raises(DatabaseError, match="the disk is full"):
        toy.run(db, toy.config(candidates=4, crossover=0.0), operator=Full(toy))


def test_a_program_that_only_the_evaluation_sees_to_be_none_is_rejected(toy, db, contents):
    class Late(FakeDomain):
        def check(self, source):
            pass

    sources = ["class Answer:\n    def value(self):\n        return 'three'\n", toy.program(2.0)]
    summary = toy.run(
        db,
        toy.config(candidates=3, attempts=1, crossover=0.0),
        domain=Late("toy"),
        operator=ScriptedOperator(sources),
    )
    assert summary.outcomes == {"ok": 2, "rejected": 1}
    assert "expected Answer.value to return a number" in contents(db, "toy")[1][0].outcome.message
