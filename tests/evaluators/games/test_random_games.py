"""Random games: their law, their names, and OpenSpiel's numbers by way of Gambit's format."""

import hashlib
import json
import re

import numpy as np
import pyspiel
import pytest
from typer.testing import CliRunner

from evaluators.cfr.domain import DOMAIN as CFR
from evaluators.cfr.openspiel import CfrSolver
from evaluators.contract import GameError
from evaluators.games import cache, random_games
from evaluators.games.compiled import CompiledGame
from evaluators.games.loading import load, load_tree
from evaluators.games.public_tree import LEAF, compile_public_tree
from evaluators.games.suites import resolve
from evolve.cli.app import app
from sandbox.inprocess import InProcessSandbox

LAWS = tuple(random_games.LAWS)


def corpus(few):
    """Seeds of every law: a few, and under ``make soak`` a thousand."""
    soaking = pytest.param(range(1000), marks=pytest.mark.soak, id="soak")
    return pytest.mark.parametrize("seeds", [pytest.param(range(few), id="few"), soaking])


def keys(game, player):
    """Information state strings as `pyspiel.load_efg_game` has them, in infoset order."""
    return [f"{player}-{player}-{i + 1}-{key}" for i, key in enumerate(game.infoset_keys(player))]


def rows(game, player, policy):
    return np.split(policy, game.form.trees[player].offset[1:-1])


def interior_profile(game, seed):
    rng = np.random.default_rng(seed)
    return [game.average_policy(p, rng.random(pairs) + 0.01) for p, pairs in enumerate(game.num_pairs)]


@pytest.mark.parametrize("law", LAWS)
@corpus(30)
def test_every_seed_compiles_to_a_game_worth_playing(law, seeds):
    for seed in seeds:
        drawn = random_games.draw(f"{law}-{seed}")
        tree, joint = drawn.tree, drawn.law
        game = CompiledGame(law, compile_public_tree(law, *drawn))
        assert random_games.SMALLEST <= game.size <= random_games.LARGEST
        assert game.num_players == random_games.LAWS[law].num_players
        assert joint.sum() == pytest.approx(1, abs=1e-12)
        assert (drawn.payoffs.sum(axis=0) == 0).all()
        for p in range(game.num_players):
            others = tuple(q for q in range(game.num_players) if q != p)
            assert (joint.sum(axis=others) > 0).all()
        assert (tree.sequences[:, tree.leaves] > 0).all(), "somebody had no say before a leaf"
        assert tree.num_actions[tree.player != LEAF].min() >= 2
        assert game.uniform_exploitability > 0.4
        assert np.linalg.matrix_rank(joint.reshape(len(joint), -1)) > 1, "a product law"


@pytest.mark.parametrize("law", LAWS)
def test_a_name_is_one_game_and_a_seed_another(law):
    first, again, other = (load_tree(name) for name in (f"{law}-3", f"{law}-003", f"{law}-4"))
    assert first.name == again.name == first.game_string == f"{law}-3"
    for mine, same in zip(first.form.trees, again.form.trees, strict=True):
        np.testing.assert_array_equal(mine.parent, same.parent)
    np.testing.assert_array_equal(first.form.utility, again.form.utility)
    assert first.form.utility.shape != other.form.utility.shape
    assert not cache.entry(first.game_string).exists()


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("random-17", "3e5cafb1fd5c678b"),
        ("random_3p-17", "3958a68af2cbdfb4"),
        ("random_sealed-17", "3272b0443bce04cc"),
    ],
)
def test_games_are_the_same_on_every_machine(name, digest):
    drawn = random_games.draw(name)
    arrays = (drawn.tree.player, drawn.tree.parent, drawn.tree.action, drawn.law, drawn.payoffs)
    assert hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()[:16] == digest


def test_sizes_that_a_name_fixes():
    name = "random-17(types=5,depth=4)"
    drawn = random_games.draw(name)
    assert drawn.law.shape == (5, 5)
    assert max(len(drawn.tree.history(leaf)) for leaf in drawn.tree.leaves.tolist()) <= 4
    assert resolve("random-17( types=5 , depth=4 )").name == "random-17(depth=4,types=5)"
    assert load("random-17(depth=4,types=5)").size == load(name).size
    assert random_games.draw("random_sealed-1(branching=2)").tree.num_actions.max() == 2


@pytest.mark.parametrize(
    "name", ["random-0", "random-1", "random_sealed-0", "random_sealed-1", "random_3p-0"]
)
def test_openspiel_reads_the_game_and_finds_the_same_nash_conv(name):
    game, reference = load_tree(name), pyspiel.load_efg_game(random_games.efg(name))
    for seed in range(3):
        profile = interior_profile(game, seed)
        table = {
            key: list(enumerate(row.tolist()))
            for p in range(game.num_players)
            for key, row in zip(keys(game, p), rows(game, p, profile[p]), strict=True)
        }
        expected = pyspiel.nash_conv(reference, pyspiel.TabularPolicy(table))
        assert game.nash_conv(profile) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["random-2", "random_sealed-2", "random_3p-2"])
def test_cfr_runs_in_lock_step_with_openspiel(name):
    game = load_tree(name)
    solver = pyspiel.CFRSolver(pyspiel.load_efg_game(random_games.efg(name)))
    regret = [np.zeros(pairs) for pairs in game.num_pairs]
    cumulative = [np.zeros(pairs) for pairs in game.num_pairs]
    policy = [game.uniform(p) for p in range(game.num_players)]
    for _ in range(20):
        solver.evaluate_and_update_policy()
        for p in range(game.num_players):
            regret[p] += game.regrets(p)
            cumulative[p] += np.repeat(game.reach(p), game.num_actions[p]) * policy[p]
            policy[p] = game.average_policy(p, np.maximum(regret[p], 0))
            game.set_policy(p, policy[p])
    table = solver.tabular_average_policy().policy_table()
    for p in range(game.num_players):
        theirs = np.concatenate([[x for _, x in table[key]] for key in keys(game, p)])
        np.testing.assert_allclose(game.average_policy(p, cumulative[p]), theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("random", "expected random-<seed> with a whole number from 0; got 'random'"),
        ("random_3p-", "expected random_3p-<seed>"),
        ("random--1", "expected random-<seed>"),
        ("random-1.5", "expected random-<seed>"),
        ("random-1(types=3", "expected random-<seed>"),
        ("random-1(types=0)", "random: types: expected a whole number from 2 to 100; got '0'"),
        ("random-1(depth=2)", "random: depth: expected a whole number from 3 to 100; got '2'"),
        ("random_3p-1(depth=4)", "random_3p: depth: expected a whole number from 5 to 100; got '4'"),
        ("random-1(depth=-3)", "depth: expected a whole number from 3"),
        ("random-1(branching=1)", "branching: expected a whole number from 2"),
        ("random-1(types=101)", "types: expected a whole number from 2 to 100"),
        ("random-1(size=0)", "expected a size such as types=6; got 'size=0'"),
        ("random-1(types=3,types=4)", "random: expected each size once"),
        ("random-1(types)", "types: expected a whole number from 2 to 100; got ''"),
        ("random_sealed-1(depth=99,branching=99)", "expected at most 5,000,000 terminal histories"),
    ],
)
def test_names_that_are_none(name, message):
    with pytest.raises(GameError, match=re.escape(message)):
        load(name)


@pytest.mark.parametrize("seed", CFR.seed_names())
def test_every_cfr_seed_plays_them(seed):
    for name in ("random-3", "random_3p-2", "random_sealed-3"):
        with CfrSolver(CFR.seed_source(seed), name, sandbox=InProcessSandbox()) as solver:
            start = solver.exploitability()
            for _ in range(50):
                solver.evaluate_and_update_policy()
            # VAD-CFR and what is left of it average nothing before their 500th iteration.
            late = seed.startswith(("vad", "wop"))
            assert solver.exploitability() < (start * 1.001 if late else start / 3)


def test_a_comma_in_a_games_sizes_separates_no_games():
    names = "random-3(depth=4,types=3),random_3p-2(types=2),random_sealed-1"
    result = CliRunner().invoke(app, ["evaluate", "dcfr", "--games", names, "--budget", "20", "--json"])
    assert result.exit_code == 0, result.stderr
    assert sorted(task["name"] for task in json.loads(result.stdout)["tasks"]) == [
        "random-3(depth=4,types=3)",
        "random_3p-2(types=2)",
        "random_sealed-1",
    ]
