"""Compilation: the sizes of the games, the order of their arrays, and what is refused."""

import numpy as np
import pyspiel
import pytest

from evaluators.contract import GameError
from evaluators.games import compile as compiler
from evaluators.games.cache import load
from evaluators.games.compile import compile_game, compile_loaded, estimate_terminals, load_turn_based
from evaluators.games.suites import GAMES, SUITES, member

# Terminals, infosets and sequences of each player, from the project's specification of the domain. Leduc's
# 936 infosets in all are common knowledge.
SIZES = {
    "kuhn3": (312, 16, 33),
    "leduc2": (5_520, 468, 1_093),
    "goofspiel4": (576, 81, 175),
    "liars_dice5": (25_575, 2_560, 5_116),
    "liars_dice6": (147_420, 12_288, 24_571),
    "leduc3": (1_043_952, 8_600, 19_689),
}
SLOW = ("leduc3", "leduc2_ranks13", "leduc2_big", "battleship32_3", "liars_dice3_2d")
"""Those that take seconds to compile."""
FAST = [name for name in (*SUITES["paper"], *SUITES["test"]) if name not in ("leduc3", "liars_dice6")]


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name):
    form = load(GAMES[name])
    terminals, infosets, sequences = SIZES[name]
    assert form.num_terminals == terminals
    assert [tree.num_infosets for tree in form.trees] == [infosets] * form.num_players
    assert form.num_sequences == (sequences,) * form.num_players


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in GAMES]
)
def test_the_listed_sizes_are_those_of_the_compiled_games(name):
    form, listed = load(GAMES[name]), member(name)
    assert form.num_players == listed.players
    assert listed.sizes == (
        form.num_terminals,
        sum(tree.num_infosets for tree in form.trees),
        sum(tree.num_pairs for tree in form.trees),
    )


@pytest.mark.parametrize("ranks", [5, 9, 13])
def test_terminals_of_leduc_with_more_ranks(ranks):
    """Deals of two cards; each round ends in 4 folds or 5 showdowns, which the first follows up with a card."""
    cards = 2 * ranks
    count = cards * (cards - 1) * (4 + 5 * (cards - 2) * 9)
    assert member(f"leduc2_ranks{ranks}").sizes.terminals == count


def test_terminals_of_big_leduc():
    """12 ranks, 6 raises: a round ends in 12 folds (after each raise, checked to or not) or 13 showdowns."""
    assert member("leduc2_big").sizes.terminals == 24 * 23 * (12 + 13 * 22 * 25)


@pytest.mark.parametrize("name", FAST)
def test_infosets_stand_in_first_visit_order(name):
    """Against a recursive walk: keys, legal actions, parents, depths."""
    form = load(GAMES[name])
    game = load_turn_based(GAMES[name])
    seen = [{} for _ in form.trees]

    def walk(state, histories):
        if state.is_terminal():
            return
        if state.is_chance_node():
            for action, _ in state.chance_outcomes():
                walk(state.child(action), histories)
            return
        player = state.current_player()
        key = state.information_state_string()
        seen[player].setdefault(key, (histories[player], state.legal_actions()))
        for action in state.legal_actions():
            after = list(histories)
            after[player] = (*histories[player], (key, action))
            walk(state.child(action), after)

    walk(game.new_initial_state(), [()] * form.num_players)
    for player, tree in enumerate(form.trees):
        assert form.infoset_keys(player) == list(seen[player])
        numbers = {(): 0}
        for i, (key, (history, actions)) in enumerate(seen[player].items()):
            begin, end = tree.offset[i : i + 2]
            assert tree.parent[i] == numbers[history]
            assert tree.depth[i] == len(history)
            assert tree.action[begin:end].tolist() == actions
            numbers |= {(*history, (key, action)): begin + 1 + k for k, action in enumerate(actions)}
        assert len(numbers) == form.num_sequences[player]


@pytest.mark.parametrize("name", ["kuhn3", "leduc2", "goofspiel4", "battleship22_2", "liars_dice4"])
def test_terminals_are_merged_and_complete(name):
    form = load(GAMES[name])
    assert len(np.unique(form.sequence, axis=1).T) == form.num_terminals
    assert sorted(form.visit) == list(range(form.num_terminals))
    # One way to play of everyone else reaches the ends of the game with probability 1 in all.
    plans = np.zeros((form.num_players, max(form.num_sequences)))
    for player, tree in enumerate(form.trees):
        plans[player, 0] = 1
        for i, parent in enumerate(tree.parent):
            plans[player, tree.offset[i] + 1] = plans[player, parent]
    reach = np.prod([plans[p, form.sequence[p]] for p in range(form.num_players)], axis=0)
    assert form.chance @ reach == pytest.approx(1.0)


def test_lanes_cover_the_poker_and_dice_games():
    """The vectorised path serves these; Goofspiel and Blotto take the other one."""
    for name in ("kuhn3", "kuhn4", "liars_dice4", "liars_dice5", "liars_dice6", "leduc3"):
        form = load(GAMES[name])
        assert form.lanes.num_terminals == form.num_terminals
    assert load(GAMES["leduc2"]).lanes.num_terminals == 5_400
    assert load(GAMES["goofspiel5"]).lanes.num_terminals == 0


@pytest.mark.parametrize("name", GAMES)
def test_estimates_are_near_the_listed_sizes(name):
    """Within five standard errors; the bid sequences of Liar's Dice are skewed beyond what those can tell."""
    estimate = estimate_terminals(load_turn_based(GAMES[name]))
    terminals = member(name).sizes.terminals
    assert abs(estimate.terminals - terminals) <= 5 * estimate.stderr + 0.01 * terminals
    assert estimate.terminals - 3 * estimate.stderr <= compiler.MAX_TERMINALS


def test_the_probe_draws_no_chance_outcome_of_probability_zero():
    """As the walk does; in universal_poker with hand reaches, OpenSpiel raises when an impossible hand is dealt."""
    text = (
        'EFG 2 R "coin" { "1" "2" } ""\n'
        'c "" 1 "" { "never" 0.0 "always" 1.0 } 0\n'
        'p "" 1 1 "" { "a" "b" "c" "d" } 0\n'
        + "".join(f't "" {k} "" {{ 1 -1 }}\n' for k in range(1, 5))
        + 'p "" 1 2 "" { "l" "r" } 0\nt "" 5 "" { 1 -1 }\nt "" 6 "" { 0 0 }\n'
    )
    game = pyspiel.load_efg_game(text)
    assert (0, 0.0) in game.new_initial_state().chance_outcomes()
    assert estimate_terminals(game) == (2.0, 0.0)
    assert compile_loaded(game, "coin").num_terminals == 2


@pytest.mark.parametrize(
    "string",
    [
        "goofspiel(imp_info=False,num_cards=4,players=2,points_order=descending)",
        "liars_dice_ir",
        "dark_hex_ir(board_size=2)",
    ],
)
def test_imperfect_recall_is_refused(string):
    with pytest.raises(GameError, match=r"expected perfect recall; player \d reaches information state"):
        compile_game(string)


@pytest.mark.parametrize(
    ("string", "reason"),
    [
        ("catch", "at least 2 players"),
        ("backgammon", "information state strings"),
        ("mfg_crowd_modelling", "at least 2 players|mean-field"),
        ("chess", "at most 5,000,000 terminal histories; random play suggests at least"),
        ("leduc_poker(players=5)", "at most 5,000,000 terminal histories; random play suggests at least"),
    ],
)
def test_unsupported_games_are_refused_with_the_reason(string, reason):
    with pytest.raises(GameError, match=reason) as error:
        compile_game(string)
    assert error.value.hint


def test_the_walk_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(compiler, "MAX_TERMINALS", 5_519)
    with pytest.raises(GameError, match=r"at most 5,519 terminal histories; the walk reached terminal 5,520"):
        compile_game(GAMES["leduc2"])
    monkeypatch.setattr(compiler, "MAX_TERMINALS", 5_520)
    assert compile_game(GAMES["leduc2"]).num_terminals == 5_520


def test_the_walk_stops_where_the_strings_grow_too_long(monkeypatch):
    monkeypatch.setattr(compiler, "MAX_KEY_BYTES", 1_000)
    with pytest.raises(GameError, match=r"after \d+ the information state strings take more than"):
        compile_game(GAMES["leduc2"])


def test_equal_sequences_are_merged():
    """A coin that nobody sees doubles the histories, not the terminals."""
    text = (
        'EFG 2 R "coin" { "1" "2" } ""\n'
        'c "" 1 "" { "h" 0.25 "t" 0.75 } 0\n'
        'p "" 1 1 "" { "l" "r" } 0\nt "" 1 "" { 4 -4 }\np "" 2 1 "" { "u" "d" } 0\n'
        't "" 2 "" { 0 0 }\nt "" 3 "" { 1 -1 }\n'
        'p "" 1 1 "" { "l" "r" } 0\nt "" 4 "" { 8 -8 }\np "" 2 1 "" { "u" "d" } 0\n'
        't "" 5 "" { 2 -2 }\nt "" 6 "" { 3 -3 }\n'
    )
    assert pyspiel.load_efg_game(text).num_players() == 2
    form = _compile_text(text)
    assert form.num_terminals == 3
    by_sequence = dict(zip(map(tuple, form.sequence.T.tolist()), form.utility[0], strict=True))
    assert by_sequence == {(1, 0): 7.0, (2, 1): 1.5, (2, 2): 2.5}
    assert form.chance.tolist() == [1.0] * 3


def _compile_text(text):
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".efg") as file:
        file.write(text)
        file.flush()
        return compile_game(f"efg_game(filename={file.name})")
