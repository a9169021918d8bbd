"""Crossover: whole classes change hands, with what they need."""

import ast
import asyncio
import random

import pytest

from evaluators.records import Candidate
from evolve.operators.base import ProposalError
from evolve.operators.crossover import CrossoverOperator, graft
from evolve.operators.symbolic import SymbolicOperator
from evolve.source.canonical import canonical_hash
from evolve.source.code import Code

HELPED = '''"""Helped."""

import math

import numpy as np

SCALE = 3.0
UNUSED = 4.0


def root(x):
    return math.sqrt(x) * SCALE


class RegretAccumulator:
    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        return info_states.cumulative_regret + root(4.0) * cfr_regrets


class PolicyFromRegretAccumulator:
    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        return info_states.normalize(np.abs(info_states.cumulative_regret))


class PolicyAccumulator:
    def update_accumulate_policy(
        self, info_states, iteration_number, info_state_policy, cfr_regrets,
        reach_prob, counterfactual_reach_prob
    ):
        return info_states.cumulative_policy + info_state_policy
'''


def proposed(operator, context, rng, *sources):
    parents = [Candidate(0, "seed", "id", source=source) for source in sources]
    return asyncio.run(operator.propose(parents, context, rng))


def cross(first, second, context, rng):
    return proposed(CrossoverOperator(), context, rng, first, second)


def top_level(text):
    return [s.name if hasattr(s, "name") else ast.unparse(s).split("\n")[0] for s in ast.parse(text).body[1:]]


def test_needed_names_come_along_and_others_do_not(context, seed_sources):
    child = graft(Code(seed_sources["cfr_plus"]), Code(HELPED), ["RegretAccumulator"], context)
    assert top_level(child.text) == [
        "import math",
        "SCALE = 3.0",
        "root",
        "RegretAccumulator",
        "PolicyFromRegretAccumulator",
        "PolicyAccumulator",
    ]
    assert "root(4.0)" in child.text


def test_helpers_that_only_the_replaced_class_needed_go(context, seed_sources):
    child = graft(Code(HELPED), Code(seed_sources["cfr_plus"]), ["RegretAccumulator"], context)
    assert top_level(child.text)[:2] == ["import numpy as np", "UNUSED = 4.0"]
    assert "root" not in child.text
    assert "SCALE" not in child.text


def test_clashing_names_are_renamed(context):
    other = HELPED.replace("* SCALE", "+ SCALE").replace("SCALE = 3.0", "SCALE = 5.0")
    recipient = HELPED.replace("np.abs(info", "root(1.0) * np.abs(info")
    child = graft(Code(recipient), Code(other), ["RegretAccumulator"], context).text
    assert "def root_2(x):\n    return math.sqrt(x) + SCALE_2" in child
    assert "SCALE_2 = 5.0" in child
    assert "root_2(4.0)" in child
    assert "root(1.0)" in child
    assert "SCALE = 3.0" in child


def test_names_that_cannot_be_renamed_are_not_mixed(context, seed_sources):
    other = HELPED.replace("import math\n", "import cmath as math\n")
    recipient = HELPED.replace("np.abs(info", "root(1.0) * np.abs(info")
    assert graft(Code(recipient), Code(other), ["RegretAccumulator"], context) is None


def test_every_pair_of_seeds_gives_a_new_program_or_says_why_not(context, seed_sources):
    for first in seed_sources.values():
        for second in seed_sources.values():
            try:
                child = cross(first, second, context, random.Random(0))
            except ProposalError:
                continue
            compile(child.source, "child", "exec")
            assert canonical_hash(child.source) not in {canonical_hash(first), canonical_hash(second)}
            assert ast.get_docstring(ast.parse(child.source)).startswith("Evolved from: ")


def test_children_of_evolved_parents_list_what_they_hold(context, seed_sources):
    rng, operator = random.Random(7), SymbolicOperator()
    for _ in range(20):
        sources = []
        for name in ("cfr_plus", "dcfr"):
            source = seed_sources[name]
            for _ in range(4):
                source = proposed(operator, context, rng, source).source
            sources.append(source)
        child = cross(*sources, context, rng)
        module, rest = child.source.split('"""\n', 1)
        bullets = [line for line in module.splitlines() if line.startswith("* ")]
        assert bullets == [line.strip() for line in rest.splitlines() if line.startswith("    * ")]
        assert "CFR+, the seed" in module
        assert "Discounted CFR" in module


def test_parents_that_are_too_close_are_refused(context, seed_sources):
    with pytest.raises(ProposalError, match="differ in two components"):
        cross(seed_sources["cfr_plus"], seed_sources["cfr_plus"], context, random.Random(0))
    with pytest.raises(ProposalError, match="parse"):
        cross("def", seed_sources["cfr_plus"], context, random.Random(0))
