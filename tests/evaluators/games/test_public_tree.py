"""Public trees compile to the sequence form that OpenSpiel's game has."""

import numpy as np
import pytest

from evaluators.contract import GameError
from evaluators.games import compile
from evaluators.games.compiled import CompiledGame
from evaluators.games.loading import load_tree
from evaluators.games.public_tree import LEAF, Builder, compile_public_tree

BETTER = np.sign(np.subtract.outer(np.arange(3), np.arange(3)))


def kuhn_tree():
    """Actions are OpenSpiel's: 0 passes, 1 bets."""
    builder = Builder(2)
    root = builder.add(0)
    passed = builder.add(1, root)
    builder.add(LEAF, passed)
    facing = builder.add(0, passed)
    builder.add(LEAF, facing)
    builder.add(LEAF, facing)
    bet = builder.add(1, root)
    builder.add(LEAF, bet)
    builder.add(LEAF, bet)
    return builder.tree()


def kuhn(law):
    won = np.ones((3, 3))
    first = np.stack([BETTER, -won, 2 * BETTER, won, 2 * BETTER])
    form = compile_public_tree("kuhn", kuhn_tree(), law, np.stack([first, -first]))
    return CompiledGame("kuhn", form)


def test_kuhn_poker_is_openspiels():
    ours, theirs = kuhn((1 - np.eye(3)) / 6), load_tree("kuhn2")
    assert ours.size == theirs.size == 30
    assert ours.infoset_keys(0) == [
        *("p0 type 0", "p0 type 1", "p0 type 2"),
        *("p0 type 0 after 0,1", "p0 type 1 after 0,1", "p0 type 2 after 0,1"),
    ]
    rng = np.random.default_rng(0)
    for _ in range(10):
        profile, same = [], []
        for p in range(2):
            policy = ours.average_policy(p, rng.random(ours.num_pairs[p]))
            rows = dict(zip(ours.infoset_keys(p), policy.reshape(-1, 2), strict=True))
            keys = theirs.infoset_keys(p)
            names = [
                f"p{p} type {key[0]}" + " after " * (len(key) > 1)
                + ",".join("1" if action == "b" else "0" for action in key[1:])
                for key in keys
            ]  # fmt: skip
            profile.append(policy)
            same.append(np.concatenate([rows[name] for name in names]))
        assert ours.nash_conv(profile) == pytest.approx(theirs.nash_conv(same), abs=1e-14)


def test_parents_precede_children_and_depth_counts_own_decisions():
    tree = kuhn((1 - np.eye(3)) / 6).form.trees[0]
    assert tree.parent.tolist() == [0, 0, 0, 1, 3, 5]
    assert tree.depth.tolist() == [0, 0, 0, 1, 1, 1]
    assert tree.offset.tolist() == [0, 2, 4, 6, 8, 10, 12]


def test_types_without_probability_have_no_infosets_and_keep_their_numbers():
    law = np.zeros((3, 3))
    law[0, 1] = law[2, 1] = 0.5
    game = kuhn(law)
    assert game.infoset_keys(1) == ["p1 type 1 after 0", "p1 type 1 after 1"]
    assert game.infoset_keys(0)[:2] == ["p0 type 0", "p0 type 2"]
    assert game.size == 5 * 2
    assert game.form.chance.sum() == pytest.approx(5)


def test_terminals_that_differ_in_the_type_of_one_who_never_acted_are_merged():
    builder = Builder(3)
    root = builder.add(0)
    builder.add(LEAF, root)
    second = builder.add(1, root)
    builder.add(LEAF, second)
    builder.add(LEAF, second)
    rng = np.random.default_rng(1)
    law = rng.dirichlet(np.ones(24)).reshape(2, 3, 4)
    payoffs = rng.standard_normal((3, 3, 2, 3, 4))
    form = compile_public_tree("idle", builder.tree(), law, payoffs)
    assert form.num_terminals == 2 + 2 * 6
    assert form.trees[2].num_infosets == 0
    at_once = form.sequence[1] == 0
    assert form.chance[at_once].sum() == pytest.approx(1)
    for p in range(3):
        assert form.utility[p].sum() == pytest.approx((law * payoffs[p]).sum())
        own = np.argsort(form.sequence[0][at_once])
        np.testing.assert_allclose(form.utility[p][at_once][own], (law * payoffs[p, 0]).sum((1, 2)))


def test_the_layout_in_lanes_changes_nothing():
    """Enough leaves with one pattern of deals go side by side; the sums are those of terminals one by one."""
    builder = Builder(2)
    root = builder.add(0)
    for _ in range(3):
        answer = builder.add(1, root)
        for _ in range(4):
            builder.add(LEAF, answer)
    rng = np.random.default_rng(2)
    law, payoffs = rng.dirichlet(np.ones(15)).reshape(3, 5), rng.standard_normal((2, 12, 3, 5))
    form = compile_public_tree("lanes", builder.tree(), law, payoffs)
    assert form.lanes.num_terminals == form.num_terminals == 12 * 15
    game = CompiledGame("lanes", form)
    plans = [game.average_policy(p, rng.random(game.num_pairs[p])) for p in range(2)]
    first, second = plans[0].reshape(3, 3), plans[1].reshape(3, 5, 4)
    by_actions = payoffs.reshape(2, 3, 4, 3, 5)
    expected = np.einsum("tu,ta,aub,nabtu->n", law, first, second, by_actions)
    np.testing.assert_allclose(game.profile_values(plans).expected, expected, atol=1e-14)


def test_a_game_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(compile, "MAX_TERMINALS", 29)
    with pytest.raises(GameError, match="5 leaves times 6 deals are 30"):
        kuhn((1 - np.eye(3)) / 6)
