"""The guest's helpers against naive loops, and what it makes of a program's return values."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seeds
from evaluators.cfr.domain import DOMAIN
from sandbox.base import Limits, SandboxFault, Verdict
from sandbox.inprocess import InProcessSandbox


class BadResult(Exception):
    pass


@pytest.fixture(scope="module")
def guest():
    names = {"BadResult": BadResult}
    exec(compile(DOMAIN.guest, "guest", "exec"), names)
    return SimpleNamespace(**names)


@st.composite
def tables(draw):
    """Numbers of actions, and a value for each (information set, action) pair."""
    num_actions = draw(st.lists(st.integers(1, 5), min_size=1, max_size=8))
    pairs = sum(num_actions)
    numbers = st.floats(-1e3, 1e3) | st.just(0.0)
    return num_actions, draw(st.lists(numbers, min_size=pairs, max_size=pairs))


def rows(num_actions, values):
    """The values of each information set."""
    ends = np.cumsum(num_actions)
    return [list(values[end - n : end]) for n, end in zip(num_actions, ends, strict=True)]


def states(guest, num_actions):
    return guest.InfoStates(0, np.array(num_actions), np.zeros(len(num_actions), dtype=int))


@given(tables())
def test_sum_actions(guest, table):
    num_actions, values = table
    expected = [sum(row) for row in rows(num_actions, values)]
    assert states(guest, num_actions).sum_actions(np.array(values)) == pytest.approx(expected, abs=1e-9)


@given(tables())
def test_max_actions(guest, table):
    num_actions, values = table
    expected = [max(row) for row in rows(num_actions, values)]
    assert states(guest, num_actions).max_actions(np.array(values)).tolist() == expected


@given(tables())
def test_per_action(guest, table):
    num_actions, values = table
    each = values[: len(num_actions)]
    expected = [value for value, n in zip(each, num_actions, strict=True) for _ in range(n)]
    assert states(guest, num_actions).per_action(np.array(each)).tolist() == expected


@given(tables())
def test_normalize(guest, table):
    num_actions, values = table
    expected = []
    for row in rows(num_actions, values):
        mass = sum(max(value, 0.0) for value in row)
        expected += [max(value, 0.0) / mass if mass > 0 else 1 / len(row) for value in row]
    assert states(guest, num_actions).normalize(np.array(values)) == pytest.approx(expected, abs=1e-12)


@given(tables())
def test_normalize_leaves_its_argument(guest, table):
    num_actions, values = table
    array = np.array(values)
    states(guest, num_actions).normalize(array)
    assert array.tolist() == values


def test_normalize_hides_no_nan(guest):
    assert np.isnan(states(guest, [2, 2]).normalize(np.array([1.0, 1.0, np.nan, 1.0]))[2])


@pytest.mark.parametrize(
    "value", [[1, 2, 3], (1.0, 2.0, 3.0), np.arange(3), np.ones(3, bool), np.ones(3, "f4")]
)
def test_numbers_of_any_kind_become_float64(guest, value):
    assert guest.checked(value, 3, "method").dtype == np.float64


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.ones(4), r"method: expected shape \(3,\), .*; got \(4,\)"),
        (np.ones((3, 1)), r"got \(3, 1\)"),
        (1.0, r"got \(\)"),
        (None, r"got \(\)|got NoneType"),
        ([[1.0], [2.0, 3.0]], "expected an array of 3 numbers; got list"),
        ({1: 2}, "expected an array of 3 numbers; got dict"),
        (["a", "b", "c"], "expected an array of 3 numbers; got list"),
    ],
)
def test_anything_else_is_a_bad_result_with_what_came(guest, value, said):
    with pytest.raises(BadResult, match=said):
        guest.checked(value, 3, "method")


KEEPER = """
class RegretAccumulator:
    def __init__(self):
        self.kept = []
    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        self.kept.append(cfr_regrets)
        return self.kept[0]
class PolicyFromRegretAccumulator:
    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.cumulative_regret
class PolicyAccumulator:
    def update_accumulate_policy(self, info_states, iteration_number, info_state_policy, cfr_regrets,
                                 reach_prob, counterfactual_reach_prob):
        return info_state_policy
"""


def opened(source):
    session = InProcessSandbox().open(DOMAIN.guest, source, limits=Limits(), shared_bytes=4096)
    session.call("begin", (), [np.array([2, 3]), np.array([0, 1])] * 2)
    return session


def test_a_program_may_keep_what_it_is_given():
    session = opened(KEEPER)
    first, second = np.arange(5.0), np.ones(5)
    (policy,) = session.call("step", (0, 0), [first, np.ones(2)])
    assert policy.tolist() == first.tolist()
    (policy,) = session.call("step", (0, 1), [second, np.ones(2)])
    assert policy.tolist() == first.tolist()


def test_players_have_objects_of_their_own():
    session = opened(KEEPER)
    session.call("step", (0, 0), [np.zeros(5), np.ones(2)])
    (policy,) = session.call("step", (1, 0), [np.ones(5), np.ones(2)])
    assert policy.tolist() == [1.0] * 5


def test_the_average_takes_the_policy_of_this_traversal():
    session = opened(KEEPER)
    session.call("step", (0, 0), [np.arange(5.0), np.ones(2)])
    average, untouched = session.call("cumulative_policy")
    assert average == pytest.approx([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])
    assert untouched.tolist() == [0.0] * 5


def test_programs_cannot_be_told_the_horizon():
    names = {a for component in DOMAIN.components for a in component.arguments}
    assert "iterations" not in names
    with pytest.raises(SandboxFault) as caught:
        opened(seeds.source("cfr", "cfr").replace("iteration_number, cfr_regrets", "iteration_number")).call(
            "step", (0, 0), [np.zeros(5), np.ones(2)]
        )
    assert caught.value.verdict is Verdict.EXCEPTION
