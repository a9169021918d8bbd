"""A promotion and the views say the same of the same held-out evaluations."""

import pytest

from evaluators.records import Metric, Outcome, Tag, Task
from evolve.comparison.verdicts import Contender, Promotion, verdict
from results import comparison
from results.comparison import Pair, Value
from results.records import HeldOutEvaluation
from results.store import open_store
from results.views.campaign import view
from results.views.words import results
from results.views.words import verdict as sentences

METRICS = (
    Metric("exploitability", "exploitability", "min", "log", 0.1, task="game", budget="iteration"),
    Metric("radii", "sum of radii", "max", "linear", 0.01, task="packing", budget="move"),
    Metric("cost", "mean cost", "min", "linear", 0.001, unit=0.5, task="policy", budget="rollout"),
)
TASKS = tuple(Task(f"t{k}", f"t{k}", "exact", 300) for k in range(4))
VALUES = {"#2": (0.1, 0.2, 0.301, 0.4), "#1": (0.2, 0.1, 0.5, 0.1), "strong": (0.15, 0.25, 0.3, 0.2)}
STDERR = (0.0, 0.0, 0.0, 0.2)
"""The last task is so noisy that nobody wins there, if the metric is linear."""


def rows(ids):
    return tuple(
        HeldOutEvaluation(
            program_id=ids[name], task=task, outcome=Outcome(Tag.OK), value=value, stderr=stderr, score=value,
            isolation="kernel", purpose="promotion",
        )
        for name, values in VALUES.items()
        for task, value, stderr in zip(TASKS, values, STDERR, strict=True)
    )  # fmt: skip


@pytest.fixture(params=METRICS, ids=lambda metric: metric.name)
def promoted(request, family, make, tmp_path):
    """A promotion, and the campaign as it is seen before and after its verdict was stored."""
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("held", metric=request.param)) as writer:
            made = family.write(make, writer)
            strong = writer.add_program("# strong\n", tree_hash="strong", name="strong")
            ids = {"#2": made[2], "#1": made[1], "strong": strong}
            for row in rows(ids):
                writer.record_held_out(row)
            contenders = [
                Contender(name, key, "", {"#2": 2, "#1": 1, "strong": None}[name])
                for name, key in ids.items()
            ]
            promotion = Promotion(
                campaign="held", objective="train", metric=request.param, seed=7, budget=300, horizons=(300,),
                contenders=tuple(contenders), held_out=rows(ids), checks=rows(ids)[:3], total=12,
            )  # fmt: skip
            before = view(store, "held")
            writer.add_event("verdict", verdict(promotion))
        yield promotion, before, view(store, "held")


def test_pairs_are_the_same_with_and_without_the_stored_verdict(promoted):
    promotion, before, after = promoted
    expected = tuple(Pair(**pair) for pair in verdict(promotion)["pairs"])
    assert before.held_out.pairs == after.held_out.pairs == expected
    assert before.held_out.names == after.held_out.names
    assert before.held_out.finalists == after.held_out.finalists


def test_the_winner_of_every_task_is_the_same(promoted):
    promotion, before, after = promoted
    for column in (*before.held_out.columns, *after.held_out.columns):
        (task,) = column.tasks
        values = {
            r.program_id: Value(r.value, r.stderr, r.floor) for r in promotion.held_out if r.task == task
        }
        assert column.standing == comparison.standing(promotion.metric, values)


def test_the_report_says_of_the_leader_what_the_promotion_says(promoted):
    promotion, _, after = promoted
    stored = Pair(**verdict(promotion)["pairs"][0])
    said = sentences(after)[-1]
    assert said.endswith(f"on average ({results(stored)}).")
    assert after.held_out.names[stored.finalist] == "#2"
    side = "ahead of" if stored.mean > 0 else "behind"
    assert f"#2 is {side} strong by {abs(stored.mean):.2f}" in said


def test_the_stored_verdict_is_shown_and_not_computed_again(family, make, tmp_path):
    """It was made when the promotion was: what `comparison` says later does not change it."""
    with open_store(tmp_path / "e.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec("held")) as writer:
            ids = family.write(make, writer)
            family.hold_out(writer, ids)
            strong = writer.add_program("# strong\n", tree_hash="strong", name="strong")
            pair = Pair(ids[2], strong, 0.75, 5, 2, 1)
            summary = {
                "program_id": ids[2], "training": 3.0, "test": 2.5, "gap": 0.5, "drawn": None,
                "tiers": {"generic": 0.125},
            }  # fmt: skip
            writer.add_event(
                "verdict",
                {
                    "programs": [
                        {"program": ids[2], "name": "#2", "candidate": 2},
                        {"program": strong, "name": "strong", "candidate": None},
                    ],
                    "summaries": [summary],
                    "pairs": [vars(pair)],
                },
            )
        seen = view(store, "held")
        assert seen.held_out.pairs == (pair,)
        assert (
            "ahead of strong by 0.75 orders of magnitude on average (5 wins, 2 ties, 1 loss)"
            in sentences(seen)[-1]
        )
