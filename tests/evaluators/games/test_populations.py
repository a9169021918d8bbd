"""Mixtures, payoffs and best responses of populations: against OpenSpiel's, and what must hold of them."""

from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluators.games import policies
from evaluators.games.compile import load_turn_based
from evaluators.games.kernels import TIE
from evaluators.games.loading import load_tree
from evaluators.games.populations import Basis, Populations

GAMES = ("kuhn2", "leduc2", "kuhn3", "goofspiel3")
COUNT = 3


def random_policy(game, player, rng):
    """Dirichlet rows, with some actions never played."""
    weights = rng.gamma(0.7, size=game.num_pairs[player]) * (rng.random(game.num_pairs[player]) < 0.8)
    return game.average_policy(player, weights)


@lru_cache
def example(name, count=COUNT):
    """A game, `count` random policies of each player, and the populations that they are."""
    game, rng = load_tree(name), np.random.default_rng(7)
    flat = [[random_policy(game, p, rng) for _ in range(count)] for p in range(game.num_players)]
    populations = Populations(game, capacity=1)
    for p, own in enumerate(flat):
        for policy in own:
            populations.add(p, game.plan(p, policy))
    return game, flat, populations


def mixtures(populations, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.ones(n)) for n in populations.sizes]


def tabular(game, profile):
    """OpenSpiel's policy of a profile of flat ones."""
    from open_spiel.python.policy import TabularPolicy

    found = TabularPolicy(load_turn_based(game.game_string))
    found.action_probability_array[:] = 0.0
    for key, row in policies.table(game, profile).items():
        for action, probability in row.items():
            found.policy_for_key(key)[action] = probability
    return found


@lru_cache
def aggregated(name):
    """OpenSpiel's aggregation of the mixtures of `example`."""
    from open_spiel.python.algorithms.policy_aggregator import PolicyAggregator

    game, flat, populations = example(name)
    turns = load_turn_based(game.game_string)
    uniform = [game.uniform(p) for p in range(game.num_players)]
    theirs = [
        [tabular(game, [*uniform[:p], policy, *uniform[p + 1 :]]) for policy in own]
        for p, own in enumerate(flat)
    ]
    weights = [w.tolist() for w in mixtures(populations)]
    return turns, PolicyAggregator(turns).aggregate(range(game.num_players), theirs, weights)


def flat_weights(populations, seed=0):
    return np.concatenate(mixtures(populations, seed))


class TestAgainstOpenSpiel:
    @pytest.mark.parametrize("name", ["kuhn2", "leduc2", "kuhn3"])
    def test_payoffs(self, name):
        game, flat, populations = example(name)
        state = load_turn_based(game.game_string).new_initial_state()
        for chosen in list(product(range(COUNT), repeat=game.num_players))[::2]:
            profile = [own[k] for own, k in zip(flat, chosen, strict=True)]
            expected = value_of(state, tabular(game, profile))
            for p, k in enumerate(chosen):
                units = np.concatenate([np.eye(COUNT)[j] for j in chosen])
                assert populations.deviation_payoffs(p, units)[k] == pytest.approx(expected[p], abs=1e-9)

    @pytest.mark.parametrize("name", ["kuhn2", "leduc2", "kuhn3"])
    def test_values_of_best_responses_to_mixtures(self, name):
        from open_spiel.python.algorithms.best_response import BestResponsePolicy

        game, _, populations = example(name)
        turns, policy = aggregated(name)
        root = turns.new_initial_state()
        expected = [BestResponsePolicy(turns, p, policy).value(root) for p in range(game.num_players)]
        own = mixtures(populations)
        assert populations.values(own).best == pytest.approx(expected, abs=1e-9)
        assert [r.value for r in populations.best_responses(own)] == pytest.approx(expected, abs=1e-9)

    @pytest.mark.parametrize("name", ["kuhn2", "leduc2", "kuhn3"])
    def test_payoffs_against_best_responses_to_mixtures(self, name):
        from open_spiel.python.algorithms.best_response import BestResponsePolicy
        from open_spiel.python.algorithms.expected_game_score import policy_value

        game, flat, populations = example(name)
        turns, mixed = aggregated(name)
        root, players = turns.new_initial_state(), range(game.num_players)
        responses = [BestResponsePolicy(turns, p, mixed) for p in players]
        found = populations.best_response_payoffs(mixtures(populations))
        for p, own in enumerate(flat):
            for k, policy in enumerate(own):
                profile = [game.uniform(q) if q != p else policy for q in players]
                alone = tabular(game, profile)
                expected = policy_value(root, [alone if q == p else responses[q] for q in players])[p]
                assert found[p][k] == pytest.approx(expected, abs=1e-9)

    @pytest.mark.parametrize("name", ["kuhn2", "leduc2", "kuhn3"])
    def test_exploitability_of_mixtures(self, name):
        from open_spiel.python.algorithms.exploitability import nash_conv

        game, _, populations = example(name)
        expected = nash_conv(*aggregated(name)) / game.num_players
        assert populations.exploitability(mixtures(populations)) == pytest.approx(expected, abs=1e-9)


def value_of(state, policy):
    from open_spiel.python.algorithms.expected_game_score import policy_value

    return policy_value(state, [policy] * state.num_players())


def flow_is_kept(game, player, plan):
    tree = game.form.trees[player]
    below = np.add.reduceat(plan[1 : tree.num_pairs + 1], tree.offset[:-1])
    return plan[0] == pytest.approx(1.0) and below == pytest.approx(plan[tree.parent], abs=1e-12)


@pytest.mark.parametrize("name", GAMES)
class TestProperties:
    @settings(max_examples=10, deadline=None)
    @given(data=st.data())
    def test_plans_of_mixtures_are_plans(self, name, data):
        game, _, populations = example(name)
        raw = [data.draw(arrays(float, COUNT, elements=st.floats(0.01, 1.0))) for _ in populations.sizes]
        plans = populations.mixed_plans([w / w.sum() for w in raw])
        assert all(flow_is_kept(game, p, plan) for p, plan in enumerate(plans))

    def test_best_responses_are_plans_and_get_their_value(self, name):
        game, _, populations = example(name)
        own = mixtures(populations, 3)
        plans = populations.mixed_plans(own).copy()
        for p, response in enumerate(populations.best_responses(own)):
            assert flow_is_kept(game, p, response.plan)
            changed = plans.copy()
            changed[p, : len(response.plan)] = response.plan
            assert game.values(changed).expected[p] == pytest.approx(response.value, abs=1e-12)

    @pytest.mark.parametrize("seed", range(5))
    def test_no_policy_beats_a_best_response(self, name, seed):
        _, _, populations = example(name)
        best = populations.values(mixtures(populations, seed)).best
        for p, value in enumerate(best):
            payoffs = populations.deviation_payoffs(p, flat_weights(populations, seed))
            assert payoffs.max() <= value + 1e-12

    def test_another_policy_changes_no_payoff(self, name):
        game, flat, populations = example(name)
        grown = Populations(game, capacity=1)
        for p, own in enumerate(flat):
            for policy in [*own, own[0]]:
                grown.add(p, game.plan(p, policy))
        weights = np.concatenate([np.append(w, 0.0) for w in mixtures(populations)])
        for p in range(game.num_players):
            before = populations.deviation_payoffs(p, flat_weights(populations))
            after = grown.deviation_payoffs(p, weights)
            assert after[:-1].tolist() == before.tolist()
            assert after[-1] == before[0]


@pytest.mark.parametrize("name", ["kuhn2", "kuhn3"])
def test_slices_are_those_of_every_profile(name):
    """Added policy by policy, the slices fill the tensor that all K^N profiles give one by one."""
    game, flat, _ = example(name)
    n = game.num_players
    found = np.full((n, *[COUNT] * n), np.nan)
    populations = Populations(game)
    for k in range(COUNT):
        for p in range(n):
            populations.add(p, game.plan(p, flat[p][k]))
            if populations.sizes.min() > 0:
                at = tuple(slice(k, k + 1) if q == p else slice(populations.sizes[q]) for q in range(n))
                found[(slice(None), *at)] = populations.newest_payoffs(p)
    for chosen in product(range(COUNT), repeat=n):
        expected = game.profile_values([own[k] for own, k in zip(flat, chosen, strict=True)]).expected
        assert found[(slice(None), *chosen)] == pytest.approx(expected, abs=1e-12)


class TestTies:
    """Uniform over tied actions, and everything ties where the others never lead."""

    def test_all_actions_tie_where_nothing_is_at_stake(self):
        game = load_tree("kuhn2")
        plans = np.stack([game.plan(p, game.uniform(p)) for p in range(2)])
        passing = game.form.trees[1].action == 0
        plans[1] = game.plan(1, passing.astype(float))
        # Player 0 never meets a bet, so it never decides after pass and bet: half and half there.
        plan = game.best_response(0, plans).plan
        tree, keys = game.form.trees[0], game.form.infoset_keys(0)
        for i, key in enumerate(keys):
            if key.endswith("pb"):
                pair = plan[tree.offset[i] + 1 : tree.offset[i + 1] + 1]
                assert pair.tolist() == [plan[tree.parent[i]] / 2] * 2

    @pytest.mark.parametrize(("gap", "tied"), [(0.5 * TIE, True), (2.0 * TIE, False)])
    @pytest.mark.parametrize("reach", [1.0, 1e-9])
    def test_the_tolerance_is_relative_to_what_is_at_stake(self, gap, tied, reach):
        from evaluators.games import kernels

        tree = np.array([[0, 0], [0, 2]], np.int32)
        total = np.array([0.0, reach * (1.0 - gap), reach])
        magnitude = np.array([0.0, reach, reach])
        policy, plan, infoset_reach = np.empty(2), np.empty(3), np.empty(1)
        value = kernels.best_response(tree, total, magnitude, policy, plan, infoset_reach)
        assert policy.tolist() == ([0.5, 0.5] if tied else [0.0, 1.0])
        assert value == reach


class TestSupport:
    def test_the_uniform_policy_plays_everything(self):
        game = load_tree("kuhn2")
        populations = Populations(game)
        populations.add(0, game.plan(0, game.uniform(0)))
        assert populations.support(0, -1) == (game.num_pairs[0], False)

    def test_a_pure_policy_plays_one_action_where_it_goes(self):
        game = load_tree("kuhn2")
        populations = Populations(game)
        populations.add(0, game.plan(0, (game.form.trees[0].action == 1).astype(float)))
        assert populations.support(0, -1) == (
            3,
            True,
        )  # Bets with each of three cards and is never asked again.


class TestBasis:
    @pytest.mark.parametrize("name", ["kuhn3", "kuhn2"])
    def test_payoffs_from_coordinates_are_the_payoffs(self, name):
        game, _, populations = example(name, 12)
        n = game.num_players
        basis, rows = Basis(game), [[] for _ in range(n)]
        core = np.empty((n, *[0] * n))
        for k in range(12):
            new_rows, blocks = basis.extend([populations.plans(p)[k, :s] for p, s in sizes(game)])
            core = grown(core, blocks)
            for p in range(n):
                rows[p].append(new_rows[p][0])
        width = core.shape[1:]
        coordinates = [
            np.array([np.pad(row, (0, width[p] - len(row))) for row in own]) for p, own in enumerate(rows)
        ]
        weights = mixtures(populations, 5)
        for p in range(n):
            value = core[p]
            for q in reversed(range(n)):
                if q != p:
                    value = np.tensordot(value, weights[q] @ coordinates[q], axes=(q, 0))
            found = coordinates[p] @ value
            assert found == pytest.approx(
                populations.deviation_payoffs(p, np.concatenate(weights)), abs=1e-13
            )

    def test_it_grows_no_further_than_plans_span(self):
        game, rng = load_tree("kuhn3"), np.random.default_rng(0)
        basis = Basis(game)
        for _ in range(40):
            basis.extend([game.plan(p, random_policy(game, p, rng)) for p in range(3)])
        # Plans are an affine set of dimension pairs - infosets: 32 - 16, and one more as vectors.
        assert basis.vectors.sizes.tolist() == [17, 17, 17]


def sizes(game):
    return list(enumerate(game.form.num_sequences))


def grown(core, blocks):
    old = core.shape[1:]
    new = [n + block.shape[1 + p] for p, (n, block) in enumerate(zip(old, blocks, strict=True))]
    found = np.full((len(old), *new), np.nan)
    found[(slice(None), *map(slice, old))] = core
    for p, block in enumerate(blocks):
        at = (*map(slice, new[:p]), slice(old[p], new[p]), *map(slice, old[p + 1 :]))
        found[(slice(None), *at)] = block
    return found
