"""What a campaign holds for the best: of the programs that were measured on further blocks, if there are any."""

import pytest

from evaluators.records import Candidate, Evaluation, Outcome, Tag, Task, TaskResult
from evaluators.testing import FakeDomain, fake_program
from evolve.search.history import History
from evolve.search.population import Settings

FAMILIES = ("a", "b")


def domain():
    return FakeDomain("toy", noise=0.1, samples=2, refinements=2)


def evaluation(a, b, *, seeds=(0, 1), spread=0.01, tag=Tag.OK):
    """Distances on both families, with a standard error."""
    results = tuple(
        TaskResult(Task(f"{family}/{seed}", family, seed=seed), value, stderr=spread)
        for family, value in zip(FAMILIES, (a, b), strict=True)
        for seed in seeds
    )
    ok = tag is Tag.OK
    return Evaluation(Outcome(tag), results=results, scores=domain().scores(results) if ok else {})


def candidate(ordinal, a, b=None, **options):
    found = evaluation(a, a if b is None else b, **options)
    source = fake_program(float(ordinal))
    return Candidate(
        ordinal, "toy", f"p{ordinal}", source=source, outcome=found.outcome, evaluation=found
    )  # fmt: skip


def further(a, b=None, **options):
    return evaluation(a, a if b is None else b, seeds=(2, 3), **options)


@pytest.fixture
def history():
    """A search with one small island, whose leaders are evaluated on further seeds."""
    return History(domain(), "score", Settings(islands=1, archive=2), refinements=2)


def test_the_first_program_is_the_best_until_one_is_confirmed(history):
    assert history.tell(candidate(0, 9.0))
    assert not history.tell(candidate(1, 5.0))
    assert history.best.ordinal == 0
    member, another = history.refine(1, further(5.5))
    assert another
    assert history.best is member
    assert member.scores["score"].mean == pytest.approx(-5.25)
    assert member.scores["score"].n == 8


def test_without_refinements_the_first_of_the_ranking_is_the_best():
    history = History(domain(), "score", Settings(islands=1), refinements=0)
    assert [history.tell(candidate(k, v)) for k, v in enumerate((9.0, 5.0, 6.0, 4.0))] == [
        True, True, False, True,
    ]  # fmt: skip
    assert history.best.ordinal == 3


def test_one_that_leads_by_luck_is_not_the_best(history):
    history.tell(candidate(0, 9.0))
    history.tell(candidate(1, 5.0))
    history.refine(1, further(5.0))
    assert not history.tell(candidate(2, 1.0))
    assert history.next_refinement(2)[0].ordinal == 2
    _, another = history.refine(2, further(30.0))
    assert (another, history.best.ordinal) == (False, 1)


def test_the_best_stays_the_best_when_others_take_its_room(history):
    """A worse one, good on one family, is all that the archive has left of those that were measured again."""
    history.tell(candidate(0, 9.0))
    history.tell(candidate(1, 0.5, 15.0))
    history.refine(1, further(0.5, 15.0))
    history.tell(candidate(2, 5.0))
    history.refine(2, further(5.0))
    assert history.best.ordinal == 2
    assert not history.tell(candidate(3, 1.0))
    assert {m.ordinal for m in history.population(4).islands[0].archive} == {1, 3}
    assert history.best.ordinal == 2
    assert history.refine(3, further(1.0))[1]
    assert history.best.ordinal == 3


def test_a_best_that_fails_on_further_seeds_is_the_best_no_longer(history):
    history.tell(candidate(0, 9.0))
    history.tell(candidate(1, 5.0))
    history.refine(1, further(5.0))
    assert history.best.ordinal == 1
    refined, another = history.refine(1, evaluation(5.0, 5.0, seeds=(4, 5), tag=Tag.TIMEOUT))
    assert not refined.ok
    assert another
    assert history.best.ordinal == 0


def test_a_fault_of_ours_confirms_nothing(history):
    history.tell(candidate(0, 9.0))
    history.tell(candidate(1, 5.0))
    assert history.refine(1, Evaluation(Outcome(Tag.ENGINE_ERROR))) == (None, False)
    assert history.best.ordinal == 0


def test_leaders_are_due_for_so_many_refinements(history):
    history.tell(candidate(0, 9.0))
    due = [history.next_refinement(0) for _ in range(3)]
    assert [(member.ordinal, number) for member, number in due[:2]] == [(0, 1), (0, 2)]
    assert due[2] is None
