"""The search finds what is known to be the smallest, within its budget, and twice the same."""

import asyncio

import pytest

from evaluators.records import Score, Tag
from evolve.distilling.documentation import corrected
from evolve.distilling.search import BATCH, Distiller
from evolve.errors import EvolveError
from evolve.source.canonical import canonical_hash

POINTS = (1.0, 2.0, 5.0)


@pytest.fixture
def distil(domain, evaluation, value):
    """Distils a program whose score is how near it comes to `wanted`: (outcome, steps, what was measured)."""

    def run(code, wanted, *, tolerance=0.01, evaluations=500, on_step=None):
        seen, steps = [], []

        async def measure(source, against):
            seen.append(source)
            await asyncio.sleep(0)
            try:
                return evaluation(-max(abs(value(source, x) - wanted(x)) for x in POINTS))
            except (ArithmeticError, AttributeError, NameError, TypeError, ValueError):
                return evaluation(0.0, Tag.EXCEPTION)

        distiller = Distiller(
            domain,
            measure,
            tolerance=tolerance,
            evaluations=evaluations,
            on_step=on_step or steps.append,
        )
        return asyncio.run(distiller.run(code.text)), steps, seen

    return run


def wordy(program):
    return program(
        "# double: multiplies what comes",
        "x = 1.0 * x",
        "",
        "y = 3.0001 * x",
        "self.count = self.count + 1",
        "if x < -100:",
        "    y = 0",
        "z = helper(y) + 1e-7 * np.sqrt(x * x)",
        "return z",
        above=["import numpy as np", "", "", "def helper(v):", "    return np.maximum(v, -1000.0) * 1.0001", "", ""],
        inside=["count = 0", ""],
    )  # fmt: skip


def test_the_known_minimum_is_found(program, distil):
    found, steps, _ = distil(wordy(program), lambda x: 3 * x, tolerance=0.05)
    assert found.complete
    assert canonical_hash(found.smallest.source) == canonical_hash(program("return 3.0 * x").text)
    assert found.steps == tuple(steps)


def test_steps_join_up_and_every_one_is_smaller(program, distil):
    found, steps, _ = distil(wordy(program), lambda x: 3 * x, tolerance=0.05)
    versions = [found.original, *(step.after for step in steps)]
    assert [step.before for step in steps] == versions[:-1]
    assert versions[-1] == found.smallest
    assert all(step.after.size < step.before.size for step in steps)
    assert sum(step.worth for step in steps) == pytest.approx(found.original.score - found.smallest.score)
    assert any(len(step.removed) > 1 for step in steps)


def test_nothing_is_evaluated_twice(program, distil):
    found, _, seen = distil(wordy(program), lambda x: 3 * x)
    assert len({canonical_hash(source) for source in seen}) == len(seen) == found.evaluations


def test_same_program_same_outcome(program, distil):
    assert distil(wordy(program), lambda x: 3 * x) == distil(wordy(program), lambda x: 3 * x)


def test_the_tolerance_bounds_the_loss_of_all_steps_together(program, distil):
    terms = " + ".join(f"{k} * 0.004 * x" for k in range(2, 8))
    found, _, _ = distil(program(f"return x + {terms}"), lambda x: x * 1.108, tolerance=0.06)
    assert found.steps
    assert found.smallest.score >= found.original.score - 0.06


def test_what_a_removal_gains_is_kept(program, distil):
    found, _, _ = distil(program("return x + 0.2 * x - 0.3"), lambda x: x * 1.2, tolerance=0.1)
    assert found.smallest.source == program("return x + 0.2 * x").text


@pytest.mark.parametrize("evaluations", [1, 2, 7, 20])
def test_the_budget_holds(program, distil, evaluations):
    found, _, seen = distil(wordy(program), lambda x: 3 * x, evaluations=evaluations)
    assert found.evaluations == len(seen) == evaluations
    assert not found.complete


def test_no_more_than_a_batch_at_a_time(domain, evaluation, program):
    running, most = 0, 0

    async def measure(source, against):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return evaluation(0.0)

    distiller = Distiller(domain, measure, tolerance=0.0, evaluations=50, on_step=lambda step: None)
    found = asyncio.run(distiller.run(wordy(program).text))
    assert 1 < most <= BATCH
    assert canonical_hash(found.smallest.source) == canonical_hash(program("return x").text)


def test_gates_compare_with_the_program_less_the_tolerance(domain, evaluation, program):
    compared = []

    async def measure(source, against):
        compared.append(against)
        return evaluation(2.0)

    distiller = Distiller(domain, measure, tolerance=0.5, evaluations=3, on_step=lambda s: None)
    asyncio.run(distiller.run(wordy(program).text))
    assert compared == [None, {"all": Score(1.5)}, {"all": Score(1.5)}]


def test_a_program_that_fails_is_refused(domain, evaluation, program):
    async def measure(source, against):
        return evaluation(0.0, Tag.TIMEOUT)

    with pytest.raises(EvolveError, match="expected a program that runs; it ended as timeout: boom"):
        asyncio.run(
            Distiller(domain, measure, tolerance=0.0, evaluations=3, on_step=lambda s: None).run(
                program("return x").text
            )
        )


def test_a_cancelled_search_keeps_what_it_has(domain, evaluation, program):
    async def measure(source, against):
        return evaluation(0.0)

    async def cancelled():
        def stop(step):
            task.cancel()

        distiller = Distiller(domain, measure, tolerance=0.0, evaluations=99, on_step=stop)
        task = asyncio.ensure_future(distiller.run(wordy(program).text))
        with pytest.raises(asyncio.CancelledError):
            await task
        return distiller.state

    state = asyncio.run(cancelled())
    assert len(state.steps) == 1
    assert not state.complete


def test_no_blank_lines_are_left_where_something_went(context, program):
    before = program("y = 1", "", "", "z = 2", "", "return x", inside=["count = 0", ""])
    gone = program("", "", "return x", inside=["", ""])
    assert "\n\n" not in corrected(gone.text, before.text, context).partition("def value")[2]


def test_the_wording_is_true(context, program):
    before = program(
        "# double: multiplies what comes",
        "x = 1.5 * x",
        "",
        "# Thirds are kept.",
        "x = x / 3 + 1",
        "return x  # as it is",
        above=['"""Thirds of a number.', "", "Far more about thirds.", '"""', "", "", "def helper(x):",
               '    """Nothing but x."""', "    return x", "", ""],
        inside=['"""Doubles and takes thirds."""', ""],
    )  # fmt: skip
    after = program("x = x + 1", "return x", above=['"""Thirds of a number.', "", "Far more.", '"""', "", ""])
    text = corrected(after.text, before.text, context)
    assert '"""Evolved from: Thirds of a number.' in text
    assert "Answer: its own formula altered." in text
    assert "Far more" not in text
    assert "double" not in text
    assert "with mechanisms" not in text
    assert corrected(before.text, before.text, context) == before.text


def test_comments_about_what_changed_go_and_others_stay(context, program):
    before = program("# Adds one.", "y = x + 1 * x", "# Gives it.", "return y * y")
    text = corrected(
        program("# Adds one.", "y = x + 1", "# Gives it.", "return y * y").text, before.text, context
    )
    assert "Adds one" not in text
    assert "# Gives it." in text
