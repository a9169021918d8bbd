"""The discovered program beside every seed: which column a task counts for, what is said, and what is left out."""

import pytest

from evaluators.records import Metric, Outcome, Tag, Task
from evolve.comparison.leaderboard import Leaderboard, ranges
from results.records import HeldOutEvaluation

METRIC = Metric("exploitability", "exploitability", "min", "log", resolution=0.1, task="game")
TASKS = [
    Task(f"{group}/generic-{seed}", family, "generic", 1000, seed)
    for group, family, seeds in (
        ("leduc2", "leduc", (10, 11)),
        ("leduc2_big", "leduc", (10,)),
        ("dice", "dice", (11,)),
        ("blotto", "blotto", (12,)),
        ("oshi", "oshi", (12,)),
        ("ships", "ships", (20,)),
    )
    for seed in seeds
]
SEARCHED = {"leduc2", "dice"}
NAMES = {"d": "discovered", "s": "strong", "w": "weak†", "o": "ours‡"}
LEADS = {"d": 0.0, "s": 0.6, "w": -0.5, "o": 0.3}
"""Decades that each is ahead of the discovered program, more or less."""


def run(key, task, score):
    """A score is in decades here, over a reference of 1e-3."""
    return HeldOutEvaluation(
        program_id=key, task=task, outcome=Outcome(Tag.OK if score is not None else Tag.TIMEOUT),
        value=None if score is None else 1e-3 * 10**-score, stderr=0.0, score=score, isolation="kernel",
        purpose="end of campaign",
    )  # fmt: skip


def runs(keys=NAMES):
    """Every program on every task, a little different on each."""
    return [
        run(key, task, LEADS[key] + 0.01 * k * (key != "d")) for key in keys for k, task in enumerate(TASKS)
    ]


def board(evaluated, names=NAMES):
    return Leaderboard.of(METRIC, "d", names, evaluated, SEARCHED)


def test_the_strongest_stands_first_and_every_program_has_its_verdict():
    found = board(runs())
    assert [row.name for row in found.rows] == ["strong", "ours‡", "discovered", "weak†"]
    assert [row.comparison and row.comparison.verdict for row in found.rows] == [
        "behind",
        None,
        None,
        "ahead",
    ]
    assert found.discovered.name == "discovered"
    assert found.words == "ahead of 1 of 2, behind 1 (strong)"
    assert (found.instances, found.families, found.seeds) == (7, 5, (10, 11, 12, 20))


def test_tasks_of_the_search_s_groups_and_sealed_ones_are_means_of_their_own():
    row = board(runs()).rows[0]
    leduc, dice = (0.6 + 0.61) / 2, 0.63
    assert row.fresh.mean == pytest.approx((leduc + dice) / 2)
    # A larger tree of a family that was searched on is none of the tasks that were searched on.
    assert row.sealed.mean == pytest.approx((0.62 + 0.64 + 0.65 + 0.66) / 4)
    assert row.fresh.stderr > 0


def test_a_program_that_did_not_finish_has_no_mean_and_stands_last():
    failing = [
        run(one.program_id, one.task, None) if (one.program_id, one.task) == ("s", TASKS[3]) else one
        for one in runs()
    ]
    found = board(failing)
    assert [row.name for row in found.rows] == ["ours‡", "discovered", "weak†", "strong"]
    strong = found.rows[-1]
    assert (strong.fresh, strong.comparison.unpaired, strong.comparison.verdict) == (None, 1, "behind")
    assert strong.sealed is not None
    assert found.failures == {"strong": ["dice"]}


def test_other_programs_of_the_campaign_are_left_out_and_the_last_evaluation_counts():
    more = [*[run("old", task, 5.0) for task in TASKS], *runs()]
    other = Task("goofspiel", "goofspiel", "exact", 1000)
    assert board([*runs(), run("d", other, 3.0), run("s", other, 1.0)]) == board(runs())
    again = [*runs(), *[run("w", task, 0.9) for task in TASKS]]
    assert board(more) == board(runs())
    assert board(again).rows[0].name == "weak†"


def test_without_the_discovered_program_nothing_is_said_of_it():
    found = board(runs("sw"))
    assert found.discovered is None
    assert found.words == "compared with nothing"


def test_ranges_of_numbers():
    assert ranges([3, 7, 8, 9, 20]) == "3, 7 to 9, 20"
    assert ranges([4]) == "4"
    assert ranges([]) == ""
