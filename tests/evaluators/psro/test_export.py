"""Exported programs: one file that knows nothing of this project and comes to the same numbers in psro_v2."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import seeds
from evaluators.contract import ProgramError
from evaluators.psro.domain import DOMAIN
from sandbox.inprocess import InProcessSandbox

LIBRARIES = str(Path(np.__file__).parent.parent)
UNIFORM = seeds.source("psro", "uniform")
MATCHING = seeds.source("psro", "regret_matching_plus").replace("10_000", "30")

ASKING = """
import numpy as np

class TrainMetaStrategySolver:
    def get_meta_strategy(self, game, policy_sets, meta_games):
        x = [np.ones(n) / n for n in map(game.num_policies, range(game.num_players))]
        gaps = game.best_response_values(x)
        weights = [1.0 + np.array([r.support * (1 + r.pure) + r.iteration for r in own]) for own in policy_sets]
        return [w + gap for w, gap in zip(weights, gaps - gaps.min())]

class EvalMetaStrategySolver(TrainMetaStrategySolver):
    def get_meta_strategy(self, game, policy_sets, meta_games):
        weights = super().get_meta_strategy(game, policy_sets, meta_games)
        return [v - v.min() + 1e-3 for v in game.deviation_payoffs(weights)]
"""

ANSWERED = """
import numpy as np

class TrainMetaStrategySolver:
    def get_meta_strategy(self, game, policy_sets, meta_games):
        rng = np.random.default_rng(game.iteration)
        x = [rng.dirichlet(np.ones(game.num_policies(p))) for p in range(game.num_players)]
        return [v - v.min() + 1e-3 for v in game.best_response_payoffs(x)]

class EvalMetaStrategySolver(TrainMetaStrategySolver):
    def get_meta_strategy(self, game, policy_sets, meta_games):
        return super().get_meta_strategy(game, policy_sets, meta_games)
"""

CLASHING = (
    '''
from array import array as np_, array as utils
start = main = policy = 500
def checked(value):
    """Not the guest's."""
    return value
class Table:
    pass
class Game(Table):
    pass
'''
    + UNIFORM.replace("return uniform(game)", "assert start == main; return checked(uniform)(game)")
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "game"),
    [
        (UNIFORM, "kuhn_poker(players=3)"),
        (MATCHING, "kuhn_poker(players=3)"),
        (ASKING, "kuhn_poker(players=2)"),
        (ANSWERED, "kuhn_poker(players=2)"),
        (ANSWERED, "kuhn_poker(players=3)"),
        (CLASHING, "goofspiel(imp_info=True,num_cards=3,players=2,points_order=descending)"),
    ],
    ids=[
        "uniform",
        "deviation payoffs",
        "best responses and supports",
        "payoffs against best responses",
        "the same of three",
        "clashing names",
    ],
)
def test_a_file_without_this_project_gives_the_same_exploitability(tmp_path, source, game):
    iterations = 5
    file = tmp_path / "exported.py"
    file.write_text(DOMAIN.exporter(source, title="a program", file=file.name))
    # Without the site module no .pth file is read, so that an editable install of this project is not found.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-S", file.name, game, str(iterations)],
        env={"PYTHONPATH": LIBRARIES, "PATH": os.environ["PATH"], "MPLCONFIGDIR": str(tmp_path)},
        cwd=tmp_path, capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["1", "2", "5"]
    plan = DOMAIN.plan([game], tiers=("exact",), budget=iterations)
    (result,) = DOMAIN.evaluate(source, plan, InProcessSandbox()).results
    assert float(lines[-1][1]) == pytest.approx(result.value, abs=1e-9)


@pytest.fixture
def exported():
    """A function: the namespace of a program's file, imported."""
    module = sys.modules["exported"] = type(sys)("exported")

    def load(source):
        exec(DOMAIN.exporter(source, title="a program"), module.__dict__)
        return module

    yield load
    del sys.modules["exported"]


def test_its_method_serves_a_solver_of_ones_own(exported):
    from open_spiel.python.algorithms.psro_v2 import psro_v2

    module = exported(seeds.source("psro", "nash"))
    solver = module.solve("kuhn_poker(players=2)", module.meta_strategy_method())
    assert isinstance(solver, psro_v2.PSROSolver)
    solver.iteration()
    marginals, joint = module.meta_strategy_method("eval")(solver, return_joint=True)
    assert joint == pytest.approx(np.outer(*marginals).ravel())
    assert marginals[0] == pytest.approx(solver.get_meta_strategies()[0], abs=1e-9)


def test_four_players_have_deviation_payoffs_without_tensors(exported):
    module = exported(MATCHING)
    solver = module.solve("kuhn_poker(players=4)", module.meta_strategy_method())
    found = solver.get_meta_strategies()
    assert [x.tolist() for x in found] == [[1.0]] * 4


def test_weights_that_are_none_are_refused(exported):
    module = exported(UNIFORM.replace("return [np.ones", "return [-np.ones"))
    with pytest.raises(ValueError, match="none below zero"):
        module.solve("kuhn_poker(players=2)", module.meta_strategy_method())


def test_says_what_to_install():
    text = DOMAIN.exporter(UNIFORM, title="two\nlines")
    assert text.startswith("# two lines\n#\n")
    assert "# Needs open_spiel" in text
    for package in ("matplotlib", "networkx", "cvxpy"):
        assert package in text.partition("class TrainMetaStrategySolver")[0]
    with pytest.raises(ProgramError):
        DOMAIN.exporter("x = 1", title="none")
