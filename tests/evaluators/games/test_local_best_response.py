"""Lower bounds of exploitability stay below it, and get above zero where there is something to win."""

import pyspiel
import pytest
from open_spiel.python.algorithms.cfr import CFRPlusSolver
from open_spiel.python.algorithms.exploitability import nash_conv
from open_spiel.python.policy import TabularPolicy, UniformRandomPolicy, tabular_policy_from_callable

import evolve
from evaluators.contract import GameError, InputError
from evaluators.games.local_best_response import exploitability_lower_bound

GOOFSPIEL = "goofspiel(imp_info=True,num_cards=4,players=2,points_order=descending)"
"""By turns: the second player does not see the first one's bid."""


def load(string):
    game = pyspiel.load_game(string)
    simultaneous = game.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS
    return pyspiel.convert_to_turn_based(game) if simultaneous else game


@pytest.mark.parametrize("string", ["kuhn_poker", "leduc_poker", "liars_dice(dice_sides=3)", GOOFSPIEL])
@pytest.mark.parametrize("iterations", [0, 2, 50])
def test_the_bound_is_below_the_exploitability(string, iterations):
    game = load(string)
    solver = CFRPlusSolver(game)
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    policy = solver.average_policy() if iterations else TabularPolicy(game)
    bound = exploitability_lower_bound(game, policy, episodes=2000)
    assert bound.value <= nash_conv(game, policy) / 2 + 3 * bound.stderr
    assert 0 < bound.stderr < 0.15
    if iterations == 0:
        assert bound.value > 3 * bound.stderr
        assert bound.value > 0.8 * nash_conv(game, policy) / 2


def test_a_game_by_name():
    policy = UniformRandomPolicy(load("leduc_poker"))
    bounds = [
        exploitability_lower_bound(game, policy, episodes=20) for game in (load("leduc_poker"), "leduc2")
    ]
    assert bounds[0] == bounds[1]
    with pytest.raises(GameError, match="river-3"):
        exploitability_lower_bound("river-3", policy)


def test_what_the_answer_may_not_know_it_does_not_use():
    """Against the uniform policy nothing can be won by one who has to guess, and all by one who sees."""
    game = load("matrix_mp")
    bound = exploitability_lower_bound(game, UniformRandomPolicy(game), episodes=4000)
    assert abs(bound.value) <= 3 * bound.stderr


def test_hidden_cards_are_weighed_by_what_was_done():
    """Kuhn poker: who bets the king alone, and calls with it alone, wins nothing from one who reads that.

    Each of the answers follows from the cards that the policy bets with: a bet is a king, so fold; a pass is none, so
    bet with a queen against a jack that would fold. Exact values by OpenSpiel; local best response finds them.
    """

    def honest(state):
        card = int(state.information_state_string()[0])
        return [(0, 0.0), (1, 1.0)] if card == 2 else [(0, 1.0), (1, 0.0)]

    game = load("kuhn_poker")
    policy = tabular_policy_from_callable(game, lambda state: dict(honest(state)))
    exact = nash_conv(game, policy) / 2
    bound = exploitability_lower_bound(game, policy, episodes=10_000)
    assert bound.stderr < 0.02
    assert abs(bound.value - exact) <= 3 * bound.stderr


def test_with_few_worlds_and_rollouts_the_bound_is_weaker_and_holds():
    game = load("leduc_poker")
    policy = TabularPolicy(game)
    weak = exploitability_lower_bound(game, policy, episodes=2000, rollouts=1, worlds=1)
    strong = exploitability_lower_bound(game, policy, episodes=2000)
    assert weak.value < strong.value <= nash_conv(game, policy) / 2 + 3 * strong.stderr


def test_the_fixed_rule_can_be_given():
    game = load("leduc_poker")

    def checks_and_calls(state):
        return {1: 1.0}

    policy = TabularPolicy(game)
    rule = tabular_policy_from_callable(game, checks_and_calls)
    bound = exploitability_lower_bound(game, policy, episodes=2000, continuation=rule)
    assert 3 * bound.stderr < bound.value <= nash_conv(game, policy) / 2 + 3 * bound.stderr


def test_a_seed_is_a_bound():
    game = load("leduc_poker")
    policy = UniformRandomPolicy(game)
    first, again, other = (exploitability_lower_bound(game, policy, episodes=50, seed=s) for s in (1, 1, 2))
    assert first == again != other


def test_a_game_beyond_walking():
    """Hold'em with one bet and the flop: 2,652 hands that the other may hold."""
    game = load(
        "universal_poker(betting=limit,numPlayers=2,numRounds=2,blind=100 50,firstPlayer=2 1,numSuits=4,numRanks=13,"
        "numHoleCards=2,numBoardCards=0 3,raiseSize=100 100,maxRaises=1 1,stack=2000 2000)"
    )
    bound = exploitability_lower_bound(game, UniformRandomPolicy(game), episodes=40, rollouts=20, worlds=40)
    assert bound.value > 2 * bound.stderr


@pytest.mark.parametrize("string", ["kuhn_poker(players=3)", "tiny_hanabi", "matrix_sh", "blotto"])
def test_games_without_the_bound(string):
    game = pyspiel.load_game(string)
    with pytest.raises(GameError, match="two players, a constant sum"):
        exploitability_lower_bound(game, UniformRandomPolicy(game))


@pytest.mark.parametrize("options", [{"episodes": 1}, {"rollouts": 0}, {"worlds": 0}])
def test_too_little_to_sample(options):
    game = load("kuhn_poker")
    with pytest.raises(InputError, match="at least two episodes"):
        evolve.exploitability_lower_bound(game, UniformRandomPolicy(game), **options)
