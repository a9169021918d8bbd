"""Policies on disk: read back exactly, by us and by OpenSpiel alone."""

import json
from dataclasses import replace

import numpy as np
import pyspiel
import pytest
from open_spiel.python.algorithms.exploitability import nash_conv

import seeds
from evaluators.cfr.openspiel import CfrSolver
from evaluators.contract import GameError, InputError
from evaluators.games import policies
from evaluators.games.compile import compile_loaded
from evaluators.games.compiled import CompiledGame
from sandbox.inprocess import InProcessSandbox

PLUS = seeds.source("cfr", "cfr_plus")


def play(source, game, iterations=10):
    solver = CfrSolver(source, game, sandbox=InProcessSandbox())
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    return solver


@pytest.mark.parametrize("game", ["leduc2", "goofspiel3", "matrix_nfg5"])
@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_saved_policy_comes_back_exactly(tmp_path, game, suffix):
    path = tmp_path / f"policy{suffix}"
    with play(PLUS, game, 5) as solver:
        about = {"iterations": 5, "exploitability": solver.exploitability()}
        policies.save(path, policies.StoredPolicy(solver.game_string, solver.average_policy_table(), about))
        mine = solver.average_policy()
    found = policies.load(path)
    assert found.about == about
    tabular = found.tabular_policy()
    assert np.array_equal(tabular.action_probability_array, mine.action_probability_array)
    assert nash_conv(tabular.game, tabular) / 2 == pytest.approx(about["exploitability"], abs=1e-9)


def test_the_json_file_is_read_with_openspiel_alone(tmp_path):
    path = tmp_path / "policy.json"
    with play(PLUS, "kuhn2") as solver:
        policies.save(path, policies.StoredPolicy(str(solver.game), solver.average_policy_table()))
        mine = solver.exploitability()
    found = json.loads(path.read_text())
    table = {key: [(int(a), p) for a, p in row.items()] for key, row in found["policy"].items()}
    game = pyspiel.load_game(found["game_string"])
    assert pyspiel.exploitability(game, pyspiel.TabularPolicy(table)) == pytest.approx(mine, abs=1e-9)


def test_policy_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match=r"\.json or \.npz"):
        policies.check_name(tmp_path / "policy.txt")
    with pytest.raises(InputError, match="existing folder"):
        policies.check_name(tmp_path / "none" / "policy.json")
    with pytest.raises(InputError, match="No such file"):
        policies.load(tmp_path / "none.json")
    (tmp_path / "other.json").write_text("[1]")
    (tmp_path / "other.npz").write_text("no zip")
    for name in ("other.json", "other.npz"):
        with pytest.raises(InputError, match="something else"):
            policies.load(tmp_path / name)
    with pytest.raises(InputError, match="infosets of kuhn_poker"):
        policies.StoredPolicy("kuhn_poker(players=2)", {"0": {0: 1.0}}).tabular_policy()


def test_players_with_the_same_infoset_strings_are_refused():
    outer = 'EFG 2 R "g" {{ "a" "b" }} ""\np "" 1 1 "" {{ "A" "B" }} 0\n{}t "" 3 "z" {{ 0 0 }}\n'
    inner = 'p "" 2 1 "" { "A" "B" } 0\nt "" 1 "x" { 1 -1 }\nt "" 2 "y" { -1 1 }\n'
    form = compile_loaded(pyspiel.load_efg_game(outer.format(inner)), "mine")
    same = replace(form, key_bytes=np.full_like(form.key_bytes, ord("I")))
    with pytest.raises(GameError, match="differ between players"):
        policies.table(CompiledGame("mine", same), [np.ones(2), np.ones(2)])
