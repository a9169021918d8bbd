"""Exported programs: one file that knows nothing of this project and comes to the same numbers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import seeds
from evaluators.cfr.domain import DOMAIN
from evaluators.cfr.openspiel import CfrSolver
from evaluators.contract import ProgramError

LIBRARIES = str(Path(np.__file__).parent.parent)
PLUS = seeds.source("cfr", "cfr_plus")

PER_INFOSET = """
class RegretAccumulator:
    def update_accumulate_regret(self, info_state_node, iteration_number, cfr_regrets):
        return {a: max(info_state_node.cumulative_regret[a] + r, 0.0) for a, r in cfr_regrets.items()}


class PolicyFromRegretAccumulator:
    def get_updated_current_policy(self, info_state_node, iteration_number, cfr_regrets, previous_policy):
        mass = sum(info_state_node.cumulative_regret.values())
        if mass <= 0.0:
            return {a: 1.0 / len(cfr_regrets) for a in cfr_regrets}
        return {a: info_state_node.cumulative_regret[a] / mass for a in cfr_regrets}


class PolicyAccumulator:
    def update_accumulate_policy(
        self, info_state_node, iteration_number, info_state_policy, cfr_regrets, reach_prob, counterfactual_reach_prob
    ):
        old = info_state_node.cumulative_policy
        return {a: old[a] + (iteration_number + 1) * reach_prob * p for a, p in info_state_policy.items()}
"""

CLASHING = '''
from array import array as np_
from itertools import chain as array
start = main = Player = 500
def checked(value):
    """Not the guest's."""
    return value
class Side:
    pass
''' + PLUS.replace("return np.maximum(", "assert start == main; return checked(np.maximum)(")  # fmt: skip

WEIGHTED = PLUS.replace("per_action(reach_prob)", "per_action(reach_prob * (1 + counterfactual_reach_prob))")


@pytest.mark.parametrize(
    "source",
    [PLUS, seeds.source("cfr", "aod_cfr"), PER_INFOSET, CLASHING, WEIGHTED],
    ids=["cfr_plus", "aod_cfr", "per infoset", "clashing names", "counterfactual reach"],
)
def test_a_file_without_this_project_gives_the_same_exploitability(tmp_path, source):
    game, iterations = "kuhn_poker(players=3)", 10
    file = tmp_path / "exported.py"
    file.write_text(DOMAIN.exporter(source, title="a program", file=file.name))
    # Without the site module no .pth file is read, so that an editable install of this project is not found.
    command = [sys.executable, "-W", "error", "-S"]
    clean = {"PYTHONPATH": LIBRARIES, "PATH": os.environ["PATH"]}
    for name in ("evolve", "evaluators", "sandbox", "results", "seeds"):
        done = subprocess.run(
            [*command, "-c", f"import {name}"], env=clean, cwd=tmp_path, capture_output=True, check=False
        )
        assert b"ModuleNotFoundError" in done.stderr
    done = subprocess.run(
        [*command, file.name, game, str(iterations)],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1].split()
    with CfrSolver(source, game) as solver:
        for _ in range(iterations):
            solver.evaluate_and_update_policy()
        assert last[0] == str(iterations)
        assert float(last[1]) == pytest.approx(solver.exploitability(), abs=1e-9)


@pytest.mark.parametrize(
    "game", ["leduc2", "goofspiel(imp_info=True,num_cards=3,players=2,points_order=descending)"]
)
def test_its_solver_has_the_same_policies(game):
    from evaluators.games.suites import resolve

    module = {"__name__": "exported"}
    sys.modules["exported"] = type(sys)("exported")
    sys.modules["exported"].__dict__.update(module)
    try:
        exec(DOMAIN.exporter(PLUS, title="a program"), sys.modules["exported"].__dict__)
        theirs = sys.modules["exported"].make_solver(resolve(game).game_string)
        with CfrSolver(PLUS, game) as ours:
            for _ in range(5):
                ours.evaluate_and_update_policy()
                theirs.evaluate_and_update_policy()
            found, expected = theirs.average_policy(), ours.average_policy_table()
            assert list(found) == list(expected)
            for key, row in expected.items():
                assert found[key] == pytest.approx(row, abs=1e-9)
            assert theirs.current_policy().keys() == expected.keys()
            assert theirs.exploitability() == pytest.approx(ours.exploitability(), abs=1e-9)
    finally:
        del sys.modules["exported"]


def test_imperfect_recall_is_refused():
    from evaluators.cfr.standalone import Solver

    with pytest.raises(ValueError, match="perfect recall"):
        Solver(lambda program: {}, None, "liars_dice_ir(dice_sides=2,numdice=2)")


def test_the_title_stays_a_comment():
    text = DOMAIN.exporter(PLUS, title="two\nlines")
    assert text.startswith("# two lines\n")
    with pytest.raises(ProgramError):
        DOMAIN.exporter("x = 1", title="none")
