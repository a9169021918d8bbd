"""Compilation: the sizes of the games, the order of their arrays, and what is refused."""

import numpy as np
import pyspiel
import pytest

from evaluators.contract import GameError
from evaluators.games import compile as compiler
from evaluators.games.cache import load
from evaluators.games.compile import compile_game, load_turn_based
from evaluators.games.suites import GAMES, SUITES

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
FAST = [name for name in (*SUITES["train"], *SUITES["test"]) if name not in ("leduc3", "liars_dice6")]


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name):
    form = load(GAMES[name])
    terminals, infosets, sequences = SIZES[name]
    assert form.num_terminals == terminals
    assert [tree.num_infosets for tree in form.trees] == [infosets] * form.num_players
    assert form.num_sequences == (sequences,) * form.num_players


@pytest.mark.parametrize("name", SUITES["extended"])
def test_extended_suite_compiles(name):
    assert load(GAMES[name]).num_terminals > 0


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
