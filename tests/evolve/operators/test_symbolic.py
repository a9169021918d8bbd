"""Properties of mutated programs: whatever is drawn, a child is a sound, honest and readable program."""

import ast
import asyncio
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.records import Candidate
from evolve.operators.base import Context, ProposalError
from evolve.operators.blocks import find_blocks
from evolve.operators.symbolic import Mix, SymbolicOperator
from evolve.source.canonical import canonical_hash
from evolve.source.code import LINE_LENGTH, Code
from evolve.source.sites import find_sites

GOLDEN = Path(__file__).parent / "golden" / "cfr_plus_child.py.txt"

# Written as a model might: a helper, a module constant, an alias, an early return, comments in odd places.
MODEL_WRITTEN = '''"""Warm-started regret matching."""
import numpy as np

WARM_UP = 25


def fade(k, horizon=40.0):
    return 1.0 / (1.0 + k / horizon)


class RegretAccumulator:
    def update_accumulate_regret(self, info_states, iteration_number, cfr_regrets):
        # é: bytes and characters differ on this line
        cumulative_regret = info_states.cumulative_regret  # «old»
        weight = np.where(cfr_regrets > 0, 1.25, 1)
        return (
            cumulative_regret
            + weight * cfr_regrets  # boosted
        )


class PolicyFromRegretAccumulator:
    """Predictive."""

    bonus = 0.5
    def __init__(self):
        self.last = 0.0

    def get_updated_current_policy(self, info_states, iteration_number, cfr_regrets, previous_policy):
        if iteration_number < WARM_UP:
            return previous_policy
        policy = info_states.normalize(info_states.cumulative_regret + fade(iteration_number) * cfr_regrets)
        return policy


class PolicyAccumulator:
    def update_accumulate_policy(self, info_states, iteration_number, info_state_policy, cfr_regrets,
                                 reach_prob, counterfactual_reach_prob):
        """Weighted."""
        w = (iteration_number + 1) ** 2.5; reach = info_states.per_action(reach_prob)
        return info_states.cumulative_policy + w * reach * info_state_policy
'''


def mutate(source, context, rng, **options):
    parent = Candidate(0, "seed", "id", source=source)
    return asyncio.run(SymbolicOperator(**options).propose([parent], context, rng))


def blocks_of(source, context):
    code = Code(source)
    sites = find_sites(code, context.components)
    return {name: find_blocks(code, site, context.mechanisms) for name, site in sites.items()}


def signatures(source, context):
    return {name: site.arguments for name, site in find_sites(Code(source), context.components).items()}


def check_child(parent, child, context):
    assert canonical_hash(child) != canonical_hash(parent)
    assert signatures(child, context) == signatures(parent, context)
    assert max(map(len, child.splitlines())) <= max(LINE_LENGTH, *map(len, parent.splitlines()))
    assert "\t" not in child
    assert "\n\n\n\n" not in child
    module = " ".join(ast.get_docstring(ast.parse(child)).split())
    for name, blocks in blocks_of(child, context).items():
        names = [block.mechanism.name for block in blocks]
        assert len(names) == len(set(names))
        owner = find_sites(Code(child), context.components)[name].owner
        own = " ".join((ast.get_docstring(owner) or "").split())
        for block in blocks:
            bullet = f"* {block.mechanism.name}: {block.mechanism.summary}"
            assert bullet in own
            assert bullet in module
            for parameter in block.mechanism.parameters:
                value = ast.literal_eval(block.literals[parameter.name][0])
                assert parameter.low <= abs(value) <= parameter.high
        headers = child.count("    # ") - parent.count("    # ")
        assert headers >= 0 or blocks_of(parent, context) != blocks_of(child, context)
        listed = [line for line in own.split("* ")[1:] if ": " in line]
        assert len(listed) == len(blocks)


@given(seed=st.integers(0, 2**32), length=st.integers(1, 8), name=st.integers(0, 20))
@settings(deadline=None, max_examples=60)
def test_chains_of_mutations_stay_sound(seed, length, name, context, seed_sources):
    sources = [*seed_sources.values(), MODEL_WRITTEN]
    source, rng = sources[name % len(sources)], random.Random(seed)
    for _ in range(length):
        child = mutate(source, context, rng).source
        check_child(source, child, context)
        source = child


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=20)
def test_same_rng_same_child(seed, context):
    parent = Candidate(0, "seed", "id", source=MODEL_WRITTEN)
    first, second = (
        asyncio.run(SymbolicOperator().propose([parent], context, random.Random(seed))) for _ in range(2)
    )
    assert first == second
    assert first.operator == "symbolic"
    assert first.note


def test_comments_and_formatting_of_the_rest_survive(context):
    rng, source = random.Random(3), MODEL_WRITTEN
    for _ in range(6):
        source = mutate(source, context, rng, mix=Mix(remove=0.0, perturb=0.0, swap=0.0)).source
    for line in (
        "        # é: bytes and characters differ on this line",
        "# «old»",
        "  # boosted",
        "    bonus = 0.5",
    ):
        assert line in source


def test_blocks_of_any_size_are_bounded(context, seed_sources):
    rng, source, mix = random.Random(5), seed_sources["cfr_plus"], Mix(remove=0.0, max_blocks=4)
    for _ in range(15):
        source = mutate(source, context, rng, mix=mix).source
    assert sum(map(len, blocks_of(source, context).values())) == 4


def test_every_mechanism_is_reached(context, seed_sources):
    rng, seen = random.Random(0), set()
    for _ in range(400):
        notes = mutate(seed_sources["cfr_plus"], context, rng).note.split("; ")
        seen |= {note.split()[1] for note in notes if note.startswith("insert")}
    assert seen == {mechanism.name for mechanism in context.mechanisms}


def test_altered_formulas_are_owned_up_to_for_good(context, seed_sources):
    rng, only_perturb = random.Random(1), Mix(insert=0, remove=0, reparameterise=0, swap=0, further=0)
    child = mutate(seed_sources["cfr_plus"], context, rng, mix=Mix(0, 0, 0, 0, swap=1, further=0)).source
    assert "Altered: a constant, an operator or a function of the base's own formula was changed." in child
    assert ": its own formula altered." in child
    grandchild = mutate(child, context, rng, mix=Mix(1, 0, 0, 0, 0, further=0)).source
    assert "its own formula altered" in " ".join(ast.get_docstring(ast.parse(grandchild)).split())
    helper = MODEL_WRITTEN.replace("1.25", "1").replace("2.5", "1")
    for seed in range(20):
        child = mutate(helper, context, random.Random(seed), mix=only_perturb)
        if "the module" in child.note:
            assert "a constant or a helper function outside the classes was changed" in child.source
            break
    else:
        pytest.fail("no helper constant was perturbed")


def test_indentation_is_the_programs_own(context, seed_sources):
    source, rng = seed_sources["cfr_plus"].replace("    ", "\t"), random.Random(0)
    for _ in range(8):
        source = mutate(source, context, rng).source
    assert "\n\t\t# " in source
    assert "\n  " not in source.split("import numpy", 1)[1]


def test_nothing_to_change_is_said(context):
    bare = "\n".join(
        f"class {c.name}:\n    def {c.method}(self, info_state_node, x):\n        return x"
        for c in context.components
    )
    with pytest.raises(ProposalError, match="nothing to change"):
        mutate(bare, context, random.Random(0))
    with pytest.raises(ProposalError, match="parses"):
        mutate("class :", context, random.Random(0))


def test_programs_of_another_form_get_constants_perturbed_only(context):
    source = MODEL_WRITTEN.replace("info_states", "info_state_node")
    for seed in range(10):
        notes = mutate(source, context, random.Random(seed)).note.split("; ")
        assert not any(note.startswith("insert") for note in notes)


def test_without_mechanisms_constants_still_move(context, seed_sources):
    child = mutate(seed_sources["pdcfr_plus"], Context(context.components), random.Random(2))
    assert child.note.startswith(("perturb", "replace"))


def test_golden_child(context, seed_sources):
    """Regenerate with ``REGENERATE_GOLDEN=1 pytest tests/evolve/operators``."""
    rng, source, notes = random.Random(2026), seed_sources["cfr_plus"], []
    for _ in range(5):
        child = mutate(source, context, rng)
        source, notes = child.source, [*notes, *child.note.split("; ")]
    text = source + "".join(f"# {note}\n" for note in notes)
    if os.environ.get("REGENERATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
