"""Programs as OpenSpiel solvers, judged by OpenSpiel itself."""

import gc

import numpy as np
import pyspiel
import pytest
from open_spiel.python.algorithms.cfr import CFRPlusSolver
from open_spiel.python.algorithms.exploitability import nash_conv
from open_spiel.python.policy import TabularPolicy

import seeds
from evaluators.cfr.openspiel import CfrSolver, ProgramFailed
from evaluators.contract import GameError, ProgramError
from sandbox.inprocess import InProcessSandbox

PLUS = seeds.source("cfr", "cfr_plus")


def play(source, game, iterations=10, **options):
    solver = CfrSolver(source, game, **options)
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    return solver


@pytest.mark.parametrize(
    "string",
    [
        "kuhn_poker(players=3)",
        "leduc_poker(players=2)",
        "liars_dice(dice_sides=3,numdice=1,players=2)",
        "tiny_hanabi",
        "goofspiel(imp_info=True,num_cards=3,players=2,points_order=descending)",
    ],
)
@pytest.mark.parametrize("name", ["dcfr", "aod_cfr"])
def test_openspiel_finds_the_same_exploitability(string, name):
    with play(seeds.source("cfr", name), pyspiel.load_game(string)) as solver:
        theirs = nash_conv(solver.game, solver.average_policy()) / solver.game.num_players()
        assert solver.exploitability() == pytest.approx(theirs, abs=1e-9)


def test_cfr_plus_is_openspiels_cfr_plus():
    game = pyspiel.load_game("kuhn_poker(players=3)")
    theirs = CFRPlusSolver(game)
    with CfrSolver(PLUS, game) as ours:
        held = ours.current_policy()
        for _ in range(10):
            ours.evaluate_and_update_policy()
            theirs.evaluate_and_update_policy()
        for a, b in ((held, theirs.current_policy()), (ours.average_policy(), theirs.average_policy())):
            assert isinstance(a, TabularPolicy)
            assert a.state_lookup == b.state_lookup
            np.testing.assert_allclose(a.action_probability_array, b.action_probability_array, atol=1e-12)
        assert ours.iteration == 10
        assert ours.current_policy() is held


def test_without_a_sandbox_the_numbers_are_the_same():
    with play(PLUS, "kuhn2") as inside, play(PLUS, "kuhn2", sandbox=InProcessSandbox()) as outside:
        assert outside.isolation == "none"
        assert inside.isolation != "none"
        assert inside.exploitability() == outside.exploitability()


def test_games_without_a_string():
    matrix = pyspiel.create_matrix_game([[1, -1], [-1, 3]], [[-1, 1], [1, -3]])
    with play(PLUS, matrix, 500, sandbox=InProcessSandbox()) as solver:
        assert solver.exploitability() < 1e-3
        first = next(iter(solver.average_policy_table().values()))
        assert first[0] == pytest.approx(2 / 3, abs=0.01)
    alone = pyspiel.load_efg_game(
        'EFG 2 R "g" { "a" "b" } ""\np "" 1 1 "" { "A" "B" } 0\nt "" 1 "x" { 1 -1 }\nt "" 2 "y" { 0 0 }\n'
    )
    with play(PLUS, alone, 50, sandbox=InProcessSandbox()) as solver:  # The second player never decides.
        assert solver.average_policy_table() == {
            "0-0-1-": {0: pytest.approx(1, abs=0.01), 1: pytest.approx(0, abs=0.01)}
        }


def test_imperfect_recall_is_refused():
    with pytest.raises(GameError, match="perfect recall"):
        CfrSolver(PLUS, pyspiel.load_game("liars_dice_ir(dice_sides=2,numdice=2)"))


def test_what_is_no_program_is_refused():
    with pytest.raises(ProgramError, match="RegretAccumulator"):
        CfrSolver("x = 1", "kuhn2")


def test_a_program_that_fails_ends_the_solver():
    broken = PLUS.replace("return np.maximum(", "return 1 / (iteration_number - 2) * np.maximum(")
    assert broken != PLUS
    solver = play(broken, "kuhn2", 2)
    with pytest.raises(ProgramFailed, match="ZeroDivisionError") as failure:
        solver.evaluate_and_update_policy()
    assert failure.value.exit_code == 1
    with pytest.raises(RuntimeError, match="closed"):
        solver.evaluate_and_update_policy()


def test_what_is_no_policy_is_said():
    wrong = PLUS.replace("return info_states.normalize(", "return 2 * info_states.normalize(")
    with pytest.raises(ProgramFailed, match="get_updated_current_policy, iteration 0, player 0"):
        play(wrong, "kuhn2", 1)


def test_a_forgotten_solver_is_closed():
    solver = CfrSolver(PLUS, "kuhn2")
    closed = solver._close
    del solver
    gc.collect()
    assert not closed.alive
