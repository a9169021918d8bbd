"""Solvers that are saved go on as if nothing had happened, bit for bit; what cannot be saved is named."""

import json
from pathlib import Path

import numpy as np
import pytest

import seeds
from evaluators.cfr import checkpoints
from evaluators.cfr.domain import DOMAIN
from evaluators.cfr.openspiel import CfrSolver, CheckpointError, ProgramFailed
from evaluators.contract import InvalidAnswer
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox

PLUS = seeds.source("cfr", "cfr_plus")
DICTIONARIES = sorted(Path(__file__).with_name("programs").glob("*.py"))


def advanced(solver, iterations):
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    return solver


def at_the_end(solver):
    """Everything that a user sees, and what the next iteration begins with."""
    return (
        solver.iteration,
        solver.average_policy_table(),
        [row.tobytes() for row in solver._play.policies],
        solver.exploitability(),
    )


def check_half_and_half(source, game, half, path, sandbox=InProcessSandbox):
    with CfrSolver(source, game, sandbox=sandbox()) as solver:
        expected = at_the_end(advanced(solver, 2 * half))
    with CfrSolver(source, game, sandbox=sandbox()) as solver:
        advanced(solver, half).save(path)
    with CfrSolver(source, game, sandbox=sandbox()) as solver:
        solver.restore(path)
        assert solver.iteration == half
        assert at_the_end(advanced(solver, half)) == expected


@pytest.mark.parametrize("game", ["kuhn3", "leduc2"])
@pytest.mark.parametrize("name", DOMAIN.seed_names())
def test_500_and_500_iterations_are_1000(name, game, tmp_path):
    check_half_and_half(seeds.source("cfr", name), game, 500, tmp_path / "solver.npz")


@pytest.mark.parametrize(("game", "half"), [("kuhn3", 500), ("leduc2", 10)])
@pytest.mark.parametrize("path", DICTIONARIES, ids=lambda path: path.stem)
def test_programs_over_dictionaries_continue_likewise(path, game, half, tmp_path):
    check_half_and_half(path.read_text(), game, half, tmp_path / "solver.npz")


HOARDER = """
import random
from collections import defaultdict
from typing import TypeVar

import numpy as np

T = TypeVar("T")
SEEN = []
LIMITS = {"low": -1.0, 3: (1, 2.5, None, True, "a\\u00e9\\ud800")}


class Memory:
    def __init__(self):
        self.table = defaultdict(float)
        self.empty = np.zeros((0, 3), np.int8)


class RegretAccumulator:
    calls = 0

    def __init__(self):
        self.memory = Memory()
        self.same = self.memory
        self.regrets = None
        self.mixed = [float("nan"), -float("inf"), 1 << 70, np.float32(0.1), np.int64(-3), np.bool_(True), {}]
        self.mixed.append(self.mixed)
        self.square = np.asfortranarray(np.arange(6.0).reshape(2, 3))

    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        if self.regrets is None:
            self.regrets = self.kept = np.zeros_like(cfr_regrets)
            info_states.mine = self.regrets
        self.regrets += cfr_regrets * (1 + 0.1 * random.random()) + 0.01 * np.random.standard_normal(len(cfr_regrets))
        assert self.kept is self.regrets is info_states.mine and self.same is self.memory
        assert self.mixed[7] is self.mixed and self.mixed[0] != self.mixed[0] and self.mixed[2] == 1 << 70
        assert type(self.mixed[3]) is np.float32 and self.mixed[4] == -3 and self.mixed[5] is not True
        assert self.square.flags.f_contiguous and self.square[1, 2] == 5.0 and self.memory.empty.shape == (0, 3)
        assert LIMITS[3] == (1, 2.5, None, True, "a\\u00e9\\ud800")
        type(self).calls += 1
        SEEN.append(info_states.player)
        self.memory.table[info_states.player] += 1.0
        assert len(SEEN) == RegretAccumulator.calls == (2 * iteration_number + 1 + info_states.player)
        assert self.memory.table["nobody"] == 0.0
        return self.regrets


class PolicyFromRegretAccumulator:
    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(info_states.cumulative_regret)


class PolicyAccumulator:
    def update_accumulate_policy(self, info_states, iteration_number, info_state_policy, cfr_regrets,
                                 reach_prob, counterfactual_reach_prob):
        return info_states.cumulative_policy + info_states.per_action(reach_prob) * info_state_policy
"""


@pytest.mark.parametrize(("source", "game", "half"), [(HOARDER, "kuhn2", 15), (PLUS, "leduc2", 100)])
def test_in_the_sandbox_as_well(source, game, half, tmp_path):
    """Of the first, what attributes share and where random numbers are."""
    check_half_and_half(source, game, half, tmp_path / "solver.npz", ProcessSandbox)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("self.seen = {1, 2}", "player 0.regret.seen: expected numbers, strings, arrays, .*; got a set"),
        ("self.deep = [(1, {'k': 1j})]", r"player 0.regret.deep\[0\]\[1\]\['k'\]: .*; got a complex"),
        ("self.rng = np.random.default_rng(0)", "player 0.regret.rng: .*; got a Generator"),
        ("self.rule = lambda x: x", "player 0.regret.rule: .*; got a function"),
        (
            "self.names = np.array(['a'])",
            "player 0.regret.names: expected an array of numbers; got one of <U1",
        ),
        ("self.odd = np.arange(6)[::2]", "player 0.regret.odd: .*stand together; got a view, copy it"),
        ("type(self).pool = iter([1])", "RegretAccumulator.pool: .*; got a list_iterator"),
        ("globals()['POOL'] = {2}", "program.POOL: .*; got a set"),
    ],
)
def test_other_state_is_refused_by_name_and_the_solver_goes_on(state, message, tmp_path):
    method = "    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):\n"
    assert method in PLUS
    with CfrSolver(PLUS.replace(method, f"{method}        {state}\n"), "kuhn2") as solver:
        advanced(solver, 1)
        with pytest.raises(CheckpointError, match=message):
            solver.save(tmp_path / "solver.npz")
        assert list(tmp_path.iterdir()) == []
        assert advanced(solver, 2).iteration == 3


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "solver.npz"
    with CfrSolver(PLUS, "kuhn2") as solver:
        advanced(solver, 3).save(path)
    return path


def rewritten(path, **changed):
    with np.load(path) as arrays:
        np.savez(path, **{**arrays, **changed})


def test_a_file_needs_no_pickle_and_replaces_an_earlier_one(saved):
    with np.load(saved, allow_pickle=False) as arrays:
        assert json.loads(str(arrays["about"]))["iteration"] == 3
        assert sorted(arrays) == ["about", "policy0", "policy1", "state"]
    with CfrSolver(PLUS, "kuhn2") as solver:
        held = solver.current_policy()
        solver.restore(saved)
        now = held.action_probability_array.copy()
        advanced(solver, 1).save(saved)
        assert (now != held.action_probability_array).any()
        solver.restore(saved)
        assert solver.iteration == 4
    assert [path.name for path in saved.parent.iterdir()] == ["solver.npz"]


@pytest.mark.parametrize(
    ("source", "game", "message"),
    [
        (PLUS + "\n", "kuhn2", "expected one of the same program"),
        (PLUS, "kuhn3", "expected one of the same game"),
        (PLUS, "random-3", "expected one of the same game"),
    ],
)
def test_a_file_of_something_else_is_refused(saved, source, game, message):
    with CfrSolver(source, game) as solver, pytest.raises(CheckpointError, match=message):
        solver.restore(saved)


def test_a_file_of_another_version_is_refused(saved, monkeypatch):
    monkeypatch.setattr(checkpoints, "version", lambda name: "0.0.7")
    with CfrSolver(PLUS, "kuhn2") as solver, pytest.raises(CheckpointError, match="the same version"):
        solver.restore(saved)


@pytest.mark.parametrize(
    "changed",
    [
        {"policy0": np.ones(3)},
        {"policy1": np.full(12, np.nan)},
        {"policy0": np.ones(12, np.float32)},
        {"policy2": np.ones(12)},
        {"state": np.zeros(3)},
        {"about": np.array("[1]")},
        {"about": np.array("no JSON")},
        {"state": np.array([{}], object)},
    ],
)
def test_a_damaged_file_is_refused(saved, changed):
    rewritten(saved, **changed)
    with CfrSolver(PLUS, "kuhn2") as solver:
        with pytest.raises(CheckpointError, match=r"expected (a saved solver|one of the same)"):
            solver.restore(saved)
        assert advanced(solver, 1).iteration == 1


def test_a_state_that_is_none_ends_the_program_not_us(saved):
    rewritten(saved, state=np.frombuffer(b"\x02" + bytes(7) + b"[]", np.uint8))
    with CfrSolver(PLUS, "kuhn2") as solver, pytest.raises(ProgramFailed):
        solver.restore(saved)


def test_names_that_are_none(tmp_path):
    with CfrSolver(PLUS, "kuhn2") as solver:
        with pytest.raises(CheckpointError, match=r"ends in \.npz"):
            solver.save(tmp_path / "solver.json")
        with pytest.raises(CheckpointError, match="existing folder"):
            solver.save(tmp_path / "none" / "solver.npz")
        with pytest.raises(CheckpointError, match="No such file"):
            solver.restore(tmp_path / "solver.npz")


class FakeSession:
    """Answers as a program may that has taken over the guest's process."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def call(self, name, scalars=(), arrays=()):
        return self.answers.pop(0)


@pytest.mark.parametrize(
    "answers",
    [
        [()],
        [(np.array([1.0]),)],
        [(np.array([0]),)],
        [(np.array([1 << 40]),)],
        [(np.array([-1]),)],
        [(np.array([4]),), ()],
        [(np.array([4]),), (np.zeros(5, np.uint8),)],
        [(np.array([4]),), (np.zeros(4),)],
    ],
)
def test_what_a_guest_answers_is_checked(answers):
    with pytest.raises(InvalidAnswer, match="checkpoint: expected"):
        checkpoints.fetch(FakeSession(*answers))
