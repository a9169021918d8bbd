"""Every CFR mechanism alone on CFR+: runs, keeps shapes, stays finite, and says what it is."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from evaluators.cfr.mechanisms import MECHANISMS

NUM_ACTIONS = np.array([2, 1, 3, 10])
ROW = np.repeat(np.arange(4), NUM_ACTIONS)
FIRST = np.concatenate([[0], np.cumsum(NUM_ACTIONS)[:-1]])


def normalize(weights):
    weights = np.maximum(weights, 0.0)
    mass = np.add.reduceat(weights, FIRST)[ROW]
    return np.where(mass > 0.0, weights / np.where(mass > 0.0, mass, 1.0), 1.0 / NUM_ACTIONS[ROW])


def states(cumulative_regret, cumulative_policy):
    return SimpleNamespace(
        cumulative_regret=cumulative_regret,
        cumulative_policy=cumulative_policy,
        num_actions=NUM_ACTIONS,
        depth=np.arange(4),
        player=0,
        sum_actions=lambda x: np.add.reduceat(x, FIRST),
        max_actions=lambda x: np.maximum.reduceat(x, FIRST),
        per_action=lambda y: y[ROW],
        normalize=normalize,
    )


def compiled(mechanism, pick):
    """A function that runs the mechanism's block on a dictionary of the method's names."""
    body = mechanism.body
    for parameter in mechanism.parameters:
        body = body.replace(f"{{{parameter.name}}}", repr(pick(parameter)))
    code = compile(body.strip("\n"), mechanism.name, "exec")
    return lambda names: exec(code, {"np": np}, names)


PICKS = {"default": lambda p: p.default, "low": lambda p: p.low, "high": lambda p: p.high}


@pytest.mark.parametrize("pick", PICKS)
@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_runs_finite_in_shape(mechanism, pick):
    block = compiled(mechanism, PICKS[pick])
    rng = np.random.default_rng(0)
    pairs = len(ROW)
    self = SimpleNamespace(**{name: float(value) for name, value in mechanism.state.items()})
    regret, policy, average = np.zeros(pairs), normalize(np.zeros(pairs)), np.zeros(pairs)
    for k in range(1001):
        cfr_regrets = rng.normal(size=pairs) * (k != 3) / (1 + k)
        view = states(regret, average)
        names = {
            "self": self, "info_states": view, "iteration_number": k, "cfr_regrets": cfr_regrets,
            "previous_policy": policy, "info_state_policy": policy, "reach_prob": rng.uniform(size=4),
            "counterfactual_reach_prob": rng.uniform(size=4), "updated": regret, "policy": normalize(regret),
            "cumulative_regret": regret, "cumulative_policy": average,
        }  # fmt: skip
        shape = np.shape(names[mechanism.variable])
        with np.errstate(all="raise", under="ignore"):
            block(names)
        value = names[mechanism.variable]
        assert np.shape(value) == shape
        assert np.isfinite(value).all()
        if mechanism.variable == "policy":
            np.testing.assert_allclose(view.sum_actions(value), 1.0, atol=1e-9)
            assert value.min() >= 0.0
        if mechanism.component == "RegretAccumulator":
            regret = names["updated"] if mechanism.target == "return" else names["cumulative_regret"]
        regret = np.maximum(regret + names["cfr_regrets"], 0.0)
        policy = names["policy"]
        average = names["cumulative_policy"] + names["reach_prob"][ROW] * policy


def test_names_are_unique():
    assert len({m.name for m in MECHANISMS}) == len(MECHANISMS)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.name)
def test_is_well_formed(mechanism):
    assert set(re.findall(r"{(\w+)}", mechanism.body)) == {p.name for p in mechanism.parameters}
    assert not re.search(r"\d", mechanism.summary), "constants in words go stale"
    assert len(f"        # {mechanism.name}: {mechanism.summary}") <= 110
    assert max(map(len, mechanism.body.splitlines())) <= 98
    assert 1 <= len(mechanism.body.strip().splitlines()) <= 6
    for parameter in mechanism.parameters:
        assert parameter.low < parameter.default < parameter.high


def test_mechanisms_of_one_target_share_its_variable():
    variables = {(m.component, m.target): m.variable for m in MECHANISMS}
    assert all(variables[m.component, m.target] == m.variable for m in MECHANISMS)


def test_blocks_bind_names_of_their_own():
    bound = [
        (m.component, name)
        for m in MECHANISMS
        for name in re.findall(r"^(\w+) =", m.body, re.MULTILINE)
        if name != m.variable
    ]
    assert len(bound) == len(set(bound))
