from pathlib import Path

import pytest

import seeds
from evaluators.cfr.mechanisms import MECHANISMS
from evaluators.contract import Component
from evolve.operators.base import Context

SEEDS = Path(seeds.__file__).parent / "cfr"


@pytest.fixture(scope="session")
def context():
    states, iteration, regrets = "info_states", "iteration_number", "cfr_regrets"
    reaches = ("reach_prob", "counterfactual_reach_prob")
    components = (
        Component("RegretAccumulator", "update_accumulate_regret", (states, iteration, regrets)),
        Component(
            "PolicyFromRegretAccumulator",
            "get_updated_current_policy",
            (states, iteration, regrets, "previous_policy"),
        ),
        Component(
            "PolicyAccumulator",
            "update_accumulate_policy",
            (states, iteration, "info_state_policy", regrets, *reaches),
        ),
    )
    return Context(components, MECHANISMS)


@pytest.fixture(scope="session")
def seed_sources():
    return {path.stem: path.read_text() for path in sorted(SEEDS.glob("*.py"))}
