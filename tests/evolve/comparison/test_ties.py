"""Intervals that jitter spans, and who ties with the winner of a game."""

import pytest
from evolve.comparison.ties import Span, spans, standings

from evaluators import scores
from evaluators.records import Evaluation, Outcome, Tag
from evolve.comparison import ties


def evaluation(*values, uniform=1.0):
    """(game, variant, exploitability) -> an evaluation."""
    results = [
        InstanceResult(Instance(f"{g}/{v}", g, v, 1), g, ((1, e),), uniform, 0.0, 0.0, 0.0)
        for g, v, e in values
    ]
    return Evaluation(Outcome(Tag.OK), tuple(results), {}, "none", 0.0, 0.0)


def test_the_interval_spans_exact_and_jittered_values():
    exact = evaluation(("a", "exact", 3e-3), ("b", "exact", 0.5))
    jittered = evaluation(("a", "jitter-0", 2e-3), ("a", "jitter-1", 4e-3), ("b", "jitter-0", 0.6))
    assert spans(exact, jittered) == {"a": Span(3e-3, 2e-3, 4e-3, 1e-6), "b": Span(0.5, 0.5, 0.6, 1e-6)}


def test_rounding_below_zero_is_clipped():
    assert (
        spans(evaluation(("a", "exact", -4e-16)), evaluation(("a", "jitter-0", 0.0)))["a"][:3] == (1e-16,) * 3
    )


def test_games_and_tiers_without_a_partner_are_left_out():
    exact = evaluation(("a", "exact", 0.1), ("a", "generic-0", 0.2), ("b", "exact", 0.1))
    assert spans(exact, evaluation(("a", "jitter-0", 0.1))).keys() == {"a"}
    assert spans(exact, evaluation()) == {}


def test_overlapping_intervals_tie_with_the_winner():
    found = standings(
        {
            "near": {"a": Span(2.5e-3, 2e-3, 3e-3, 1e-6)},
            "best": {"a": Span(1e-3, 1e-3, 2e-3, 1e-6)},
            "far": {"a": Span(3e-3, 2.9e-3, 3e-3, 1e-6)},
        }
    )
    assert found == {"a": ("best", ("near",))}


def test_beyond_six_decades_all_are_equal():
    programs = {"x": {"a": Span(1e-16, 1e-16, 1e-16, 1e-6)}, "y": {"a": Span(9e-7, 9e-7, 9e-7, 1e-6)}}
    assert standings(programs)["a"] == ("x", ("y",))
    assert (ties.DECADES_MAX, ties.SMALLEST) == (scores.DECADES_MAX, scores._SMALLEST)


def test_a_program_that_failed_on_a_game_has_no_standing_there():
    assert standings({"x": {}, "y": {"a": Span(0.1, 0.1, 0.1, 1e-6)}}) == {"a": ("y", ())}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Span(1e-3, 1e-3, 1e-3, 0.0), "1.00e-03 ±0%"),
        (Span(1e-3, 0.9e-3, 1.05e-3, 0.0), "1.00e-03 ±10%"),
        (Span(1e-3, 1e-5, 2e-3, 0.0), "1.00e-03 1e-05…2e-03"),
    ],
)
def test_how_an_interval_is_shown(value, shown):
    from evolve.cli.tables import span

    assert span(value) == shown
