"""`import evolve`: what a script or a notebook calls."""

import asyncio
import re
import subprocess
import sys

import pyspiel
import pytest

import evolve
import seeds
from evaluators.contract import CapabilityError, GameError
from evolve.errors import ConfigError
from sandbox.base import Limits

SMALL = {
    "tasks": ("kuhn2",),
    "budget": 3,
    "candidates": 3,
    "workers": 1,
    "refinements": 0,
    "baselines": ["cfr_plus", "dcfr"],
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A database with a small campaign, and how that ended."""
    db = str(tmp_path_factory.mktemp("api") / "evolve.db")
    events = []
    return db, evolve.run(SMALL, db=db, observer=events.append), events


def test_importing_is_cheap():
    code = "import sys, evolve; print(*(n for n in ('numpy', 'pydantic', 'sqlalchemy', 'pyspiel') if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_public_name_is_there_and_documented():
    for name in evolve.__all__:
        assert getattr(evolve, name).__doc__
        assert name in dir(evolve)
    with pytest.raises(AttributeError, match="nothing"):
        evolve.nothing  # noqa: B018


def test_a_search_and_what_it_found(searched):
    db, summary, events = searched
    assert isinstance(summary, evolve.Summary)
    assert (summary.status, summary.candidates) == ("finished", 3)
    assert events
    best = evolve.load_program(summary.best, db=db)
    assert best.stored
    assert evolve.load_program("cfr-symbolic-s0:best", db=db).id == best.id
    again = evolve.evaluate(best, tasks=["kuhn2"], tiers=("generic",), budget=3)
    assert again.scores["advantage"] == summary.scores["advantage"]


def test_a_notebook_may_search_too(tmp_path):
    async def cell():
        return evolve.run(evolve.CampaignConfig(**SMALL), db=str(tmp_path / "evolve.db"))

    assert asyncio.run(cell()).status == "finished"


def test_a_configuration_may_be_a_file(tmp_path):
    path = tmp_path / "search.toml"
    path.write_text(
        'tasks = ["kuhn2"]\nbudget = 2\ncandidates = 1\nworkers = 1\nname = "mine"\ndb = "nowhere.db"\n'
    )
    assert evolve.run(path, db=str(tmp_path / "evolve.db")).campaign == "mine"


def test_the_environment_names_the_database(searched, monkeypatch):
    monkeypatch.setenv("EVOLVE_DB", searched[0])
    assert evolve.load_program("cfr-symbolic-s0:0").name == "cfr_plus"


def test_a_program_solves_a_game(tmp_path):
    (tmp_path / "mine.py").write_text(seeds.source("cfr", "pdcfr_plus"))
    program = evolve.load_program(tmp_path / "mine.py")
    game = pyspiel.load_game("kuhn_poker(players=2)")
    with program.cfr_solver(game) as solver, program.cfr_solver("kuhn2", in_process=True) as same:
        for _ in range(20):
            solver.evaluate_and_update_policy()
            same.evaluate_and_update_policy()
        assert solver.exploitability() == same.exploitability() < 0.01


def test_a_stored_program_needs_the_unsafe_flag(searched):
    program = evolve.load_program("cfr-symbolic-s0:0", db=searched[0])
    with pytest.raises(ConfigError, match="stored program"):
        program.cfr_solver("kuhn2", in_process=True)
    with pytest.raises(ConfigError, match="stored program"):
        evolve.evaluate(program, tasks=["kuhn2"], budget=1, in_process=True)
    with program.cfr_solver("kuhn2", unsafe_in_process=True) as solver:
        assert solver.isolation == "none"


def test_a_failing_program_is_an_outcome(tmp_path):
    (tmp_path / "broken.py").write_text(seeds.source("cfr", "cfr").replace("return ", "return 1 / 0 * ", 1))
    evaluation = evolve.evaluate(tmp_path / "broken.py", tasks=["kuhn2"], budget=1)
    assert evaluation.outcome.tag == "exception"
    assert evaluation.scores == {}


def test_a_host_that_does_not_start_leaves_no_sandbox_behind(monkeypatch):
    from evolve import programs

    opened = []
    open_sandbox = programs.open_sandbox
    monkeypatch.setattr(programs, "open_sandbox", lambda *a: opened.append(open_sandbox(*a)) or opened[-1])
    with pytest.raises(GameError):
        evolve.load_program("cfr").cfr_solver("no_such_game")
    (sandbox,) = opened
    with pytest.raises(RuntimeError, match="closed"):
        sandbox.open("", "", limits=Limits(), shared_bytes=0)


class TestMetaStrategyMethod:
    """PSRO programs in OpenSpiel's own solver, beside its own method of the same kind."""

    STEPS = 200

    def psro(self, method, iterations=4):
        from open_spiel.python.algorithms.expected_game_score import policy_value
        from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

        class Exact(psro_v2.PSROSolver):
            def sample_episodes(self, policies, num_episodes):
                return policy_value(self._game.new_initial_state(), policies)

        game = pyspiel.load_game("kuhn_poker(players=2)")
        solver = Exact(
            game,
            best_response_oracle.BestResponseOracle(game=game),
            1,
            meta_strategy_method=method,
            training_strategy_selector="probabilistic",
            sample_from_marginals=True,
            prd_iterations=self.STEPS,
            prd_dt=1e-2,
            prd_gamma=1e-10,
            iterations=self.STEPS,
        )
        for _ in range(iterations):
            solver.iteration()
        return game, solver

    def exploitability(self, game, solver, marginals):
        from open_spiel.python.algorithms.exploitability import nash_conv
        from open_spiel.python.algorithms.psro_v2 import utils

        return nash_conv(game, utils.aggregate_policies(game, solver.get_policies(), marginals)) / 2

    @pytest.mark.parametrize(
        ("name", "theirs"), [("uniform", "uniform"), ("prd", "prd"), ("regret_matching", "rm")]
    )
    def test_is_openspiels_own_where_it_has_the_same(self, tmp_path, name, theirs):
        source = re.sub(r"steps = 1\w+", f"steps = {self.STEPS}", seeds.source("psro", name))
        (tmp_path / "mine.py").write_text(source)
        program = evolve.load_program(tmp_path / "mine.py")
        with program.meta_strategy_method() as train, program.meta_strategy_method("eval") as judge:
            game, solver = self.psro(train)
            _, other = self.psro(theirs)
            judged = judge(solver)
            assert train.isolation != "none"
            _, joint = train(solver, return_joint=True)
        for mine, expected in zip(solver.get_meta_strategies(), other.get_meta_strategies(), strict=True):
            assert mine == pytest.approx(expected, abs=1e-9)
        assert joint == pytest.approx(other._non_marginalized_probabilities, abs=1e-9)
        found, expected = (self.exploitability(game, s, s.get_meta_strategies()) for s in (solver, other))
        assert found == pytest.approx(expected, abs=1e-9)
        assert self.exploitability(game, solver, judged) == pytest.approx(found, abs=1e-9)

    def test_a_domain_says_what_it_has_not(self):
        with pytest.raises(CapabilityError, match="the domain cfr has no meta_strategy_method"):
            evolve.load_program("cfr_plus").meta_strategy_method()
        with pytest.raises(CapabilityError, match="the domain psro has no solver"):
            evolve.load_program("nash").cfr_solver("kuhn2")

    def test_is_asked_for_by_name(self):
        with pytest.raises(ConfigError, match="expected 'train' or 'eval'; got 'test'"):
            evolve.load_program("uniform").meta_strategy_method("test")

    def test_a_stored_program_needs_the_unsafe_flag(self):
        from dataclasses import replace

        stored = replace(evolve.load_program("uniform"), stored=True)
        with pytest.raises(ConfigError, match="stored program"):
            stored.meta_strategy_method(in_process=True)
        with stored.meta_strategy_method(unsafe_in_process=True) as method:
            assert method.isolation == "none"
