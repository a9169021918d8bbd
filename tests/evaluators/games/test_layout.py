"""The memory order of terminals changes the speed of sums, never their value."""

import numpy as np
import pytest

from evaluators.games import compile as compiler
from evaluators.games.compile import compile_game
from evaluators.games.compiled import CompiledGame
from evaluators.games.form import SequenceForm
from evaluators.games.suites import GAMES


def compiled(name, patch, **settings) -> SequenceForm:
    for key, value in settings.items():
        patch.setattr(compiler, key, value)
    return compile_game(GAMES[name])


def in_visit_order(form, terminal_values):
    return terminal_values[..., np.argsort(form.visit)]


@pytest.mark.parametrize("name", ["kuhn2", "kuhn3", "kuhn4", "leduc2", "goofspiel4_3p", "liars_dice4"])
def test_every_layout_gives_the_same_sums(name, monkeypatch):
    """Two to four players, each with all terminals in lanes, all one by one, and batches of odd widths."""
    forms = [
        compiled(name, monkeypatch),
        compiled(name, monkeypatch, MIN_LANES=10**9),
        compiled(name, monkeypatch, MIN_LANES=1, MAX_LANES=5),
        compiled(name, monkeypatch, MIN_LANES=2, MAX_LANES=3, BATCH_FLOATS=40),
    ]
    assert forms[1].lanes.num_terminals == 0
    games = [CompiledGame(name, form) for form in forms]
    rng = np.random.default_rng(0)
    policies = [games[0].average_policy(p, rng.random(s)) for p, s in enumerate(games[0].num_pairs)]
    scale = np.abs(forms[0].utility).sum()
    for form, g in zip(forms, games, strict=True):
        for field in ("sequence", "chance", "utility"):
            expected = in_visit_order(forms[0], getattr(forms[0], field))
            assert np.array_equal(in_visit_order(form, getattr(form, field)), expected)
        for p, policy in enumerate(policies):
            g.set_policy(p, policy)
        for p in range(g.num_players):
            np.testing.assert_allclose(g.regrets(p), games[0].regrets(p), rtol=0, atol=1e-15 * scale)
            np.testing.assert_allclose(
                g.counterfactual_reach(p), games[0].counterfactual_reach(p), rtol=1e-13
            )
        assert g.nash_conv(policies) == pytest.approx(games[0].nash_conv(policies), abs=1e-14 * scale)


def test_variants_do_not_depend_on_the_layout(monkeypatch):
    games = [
        CompiledGame("leduc2", compiled("leduc2", monkeypatch), "generic-4"),
        CompiledGame("leduc2", compiled("leduc2", monkeypatch, MIN_LANES=10**9), "generic-4"),
    ]
    first, second = (in_visit_order(g.form, g.utility) for g in games)
    assert np.array_equal(first, second)


def test_batches_fit_the_first_level_cache():
    for name in ("liars_dice6", "leduc2"):
        header = compile_game(GAMES[name]).lanes.header
        assert (header[:, 1] * header[:, 5]).max() <= compiler.BATCH_FLOATS
        assert header[:, 1].max() <= compiler.MAX_LANES
