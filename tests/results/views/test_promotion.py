"""A promotion and the views say the same of the same held-out evaluations."""

import pytest

from evaluators.records import Metric, Outcome, Tag, Task
from evolve.comparison.verdicts import Contender, Promotion, verdict
from results import comparison
from results.comparison import Comparison, Value, summarized
from results.records import HeldOutEvaluation
from results.store import open_store
from results.views import report
from results.views.campaign import view
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


def test_comparisons_are_the_same_with_and_without_the_stored_verdict(promoted):
    promotion, before, after = promoted
    expected = tuple(Comparison(**one) for one in verdict(promotion)["comparisons"])
    assert before.held_out.comparisons == after.held_out.comparisons == expected
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
    stored = Comparison(**verdict(promotion)["comparisons"][0])
    first, second, *_ = sentences(after)
    words = summarized([stored], {stored.other: "strong"})
    assert first == f"On 4 held-out {promotion.metric.task}s of 4 families, #2 is {words}.".replace(
        "policys", "policies"
    )
    by = f"{abs(stored.mean):.2f}"[:3]
    if stored.verdict == "level":
        assert second.startswith(f"It is on average {by}") and "do not tell from 0" in second
    elif stored.mean < 0:
        assert second.startswith(f"The strongest of these, strong, is ahead of it by {by}")
    else:
        assert second.startswith(f"It is ahead of the strongest of these, strong, by {by}")
    assert "±" in second


STORED = {
    "program": "",
    "other": "",
    "mean": 0.75,
    "stderr": 0.125,
    "verdict": "ahead",
    "p": 0.01,
    "wins": 5,
    "families": 4,
}


def promoted_before(writer, ids, others, **event):
    """Store a verdict on two finalists' worth of programs, as `evolve promote` does."""
    programs = [(ids[2], "#2", 2), *((key, name, None) for name, key in others.items())]
    listed = [{"program": key, "name": name, "candidate": ordinal} for key, name, ordinal in programs]
    writer.add_event("verdict", {"programs": listed, "summaries": [], **event})


@pytest.fixture
def hunt_again(family, make, tmp_path):
    """A campaign with held-out evaluations of the best and a seed: (writer, ids, names -> ids of others)."""
    with (
        open_store(tmp_path / "e.db", clock=make.clock()) as store,
        store.begin_campaign(make.spec("held")) as writer,
    ):
        ids = family.write(make, writer)
        strong = writer.add_program("# strong\n", tree_hash="strong", name="strong")
        weak = writer.add_program("# weak\n", tree_hash="weak", name="weak")
        for key, value in ((ids[2], 0.1), (strong, 0.01)):
            for task in TASKS:
                writer.record_held_out(held(key, task, value))
        yield store, writer, ids, {"strong": strong, "weak": weak}


def held(key, task, value):
    return HeldOutEvaluation(
        program_id=key, task=task, outcome=Outcome(Tag.OK), value=value, stderr=0.0, score=-value,
        isolation="kernel", purpose="promotion",
    )  # fmt: skip


def test_the_stored_verdict_is_shown_and_not_computed_again(hunt_again):
    """It was made when the promotion was: what `comparison` says later does not change it."""
    store, writer, ids, others = hunt_again
    stored = STORED | {"program": ids[2], "other": others["strong"]}
    promoted_before(writer, ids, {"strong": others["strong"]}, comparisons=[stored])
    seen = view(store, "held")
    assert seen.held_out.comparisons == (Comparison(**stored),)
    assert sentences(seen)[:2] == [
        "On 5 held-out games of 4 families, #2 is ahead of 1 of 1.",
        "It is ahead of the strongest of these, strong, by 0.75 ± 0.12 orders of magnitude on average.",
    ]


def test_programs_that_the_promotion_left_out_count_too(hunt_again):
    """A promotion against a weak seed alone does not hide the strong one that the end of the campaign evaluated."""
    store, writer, ids, others = hunt_again
    for task in TASKS:
        writer.record_held_out(held(others["weak"], task, 0.5))
    stored = STORED | {"program": ids[2], "other": others["weak"]}
    promoted_before(writer, ids, {"weak": others["weak"]}, comparisons=[stored])
    seen = view(store, "held")
    names = [seen.held_out.names[one.other] for one in seen.held_out.comparisons]
    assert names == ["strong", "weak"]
    assert sentences(seen)[0].endswith("#2 is ahead of 1 of 2, behind 1 (strong).")
    assert "The strongest of these, strong, is ahead of it by 1.00" in sentences(seen)[1]


def test_a_verdict_that_was_stored_before_there_were_comparisons_stays_readable(hunt_again):
    store, writer, ids, others = hunt_again
    pair = {"finalist": ids[2], "baseline": others["strong"], "mean": 0.3, "wins": 5, "ties": 2, "losses": 1}
    means = {"training": 3.0, "test": 2.5, "gap": 0.5, "drawn": None, "tiers": {"generic": 0.125}}
    promoted_before(writer, ids, {"strong": others["strong"]}, pairs=[pair])
    writer.add_event(
        "verdict",
        {
            "programs": [{"program": ids[2], "name": "#2", "candidate": 2}],
            "pairs": [pair],
            "summaries": [{"program_id": ids[2]} | means],
        },
    )
    seen = view(store, "held")
    assert "behind 1 (strong)" in sentences(seen)[0]
    text, _ = report.markdown(seen, "f")
    assert "| #2 | 3.0000 | 2.5000 | 0.5000 | 0.1250 |" in text.replace("\\", "")


def test_a_reconstruction_has_its_mark_and_no_verdict(hunt_again):
    store, writer, _, _ = hunt_again
    ours = writer.add_program('"""A rule.\n\nReconstruction: of a name.\n"""\n', tree_hash="o", name="wop")
    told = writer.add_program("\nPLANNED_ITERATIONS = 1\n", tree_hash="t", name="hs")
    for key in (ours, told):
        for task in TASKS:
            writer.record_held_out(held(key, task, 0.001))
    seen = view(store, "held")
    of = {seen.held_out.names[one.other]: one.verdict for one in seen.held_out.comparisons}
    assert of == {"wop‡": None, "hs†": "behind", "strong": "behind"}
    assert "behind 2 (strong, hs†)" in sentences(seen)[0]
    text, _ = report.markdown(seen, "f")
    assert "† is told the horizon. ‡ a reconstruction" in text
    assert "not counted" in text
