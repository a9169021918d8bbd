"""Mechanism blocks: inserted, recognised after a round trip through text, removed without a trace."""

import pytest

from evaluators.contract import Mechanism, Parameter
from evolve.operators import blocks
from evolve.operators.formula import literal_value
from evolve.source.canonical import canonical_hash
from evolve.source.code import Code
from evolve.source.sites import find_sites


def site_of(code, context, mechanism):
    return find_sites(code, context.components)[mechanism.component]


def defaults(mechanism):
    return {parameter.name: parameter.default for parameter in mechanism.parameters}


def found(code, context, mechanism):
    return blocks.find_blocks(code, site_of(code, context, mechanism), context.mechanisms)


def inserted(code, context, mechanism):
    site = site_of(code, context, mechanism)
    return blocks.insert(code, site, mechanism, defaults(mechanism), found(code, context, mechanism))


def removed(code, context, mechanism):
    peers = found(code, context, mechanism)
    (block,) = [b for b in peers if b.mechanism is mechanism]
    assert blocks.can_remove(block)
    return blocks.remove(code, block, peers)


def of_component(context, name):
    return [m for m in context.mechanisms if m.component == name]


def test_inserting_then_removing_restores_every_seed(context, seed_sources):
    for name, source in seed_sources.items():
        for mechanism in context.mechanisms:
            code = Code(source)
            if not blocks.can_insert(code, site_of(code, context, mechanism), mechanism):
                continue
            grown = inserted(code, context, mechanism)
            assert canonical_hash(grown.text) != canonical_hash(source)
            assert not blocks.can_insert(grown, site_of(grown, context, mechanism), mechanism)
            back = removed(grown, context, mechanism)
            assert canonical_hash(back.text) == canonical_hash(source), (name, mechanism.name)


def test_removing_from_the_seed_restores_the_text(context, seed_sources):
    source = seed_sources["cfr_plus"]
    for mechanism in context.mechanisms:
        assert removed(inserted(Code(source), context, mechanism), context, mechanism).text == source


@pytest.mark.parametrize("reverse", [False, True])
def test_all_mechanisms_of_a_component_pile_up_in_order_and_come_off(context, seed_sources, reverse):
    for component in context.components:
        code = Code(seed_sources["cfr_plus"])
        mechanisms = of_component(context, component.name)
        for mechanism in mechanisms:
            code = inserted(code, context, mechanism)
        names = [b.mechanism.name for b in found(code, context, mechanisms[0])]
        assert sorted(names) == sorted(m.name for m in mechanisms)
        for target in {m.target for m in mechanisms}:
            expected = [m.name for m in mechanisms if m.target == target]
            assert [n for n in names if n in expected] == expected
        for mechanism in reversed(mechanisms) if reverse else mechanisms:
            code = removed(code, context, mechanism)
        assert code.text == seed_sources["cfr_plus"]


def test_new_constants_go_wherever_the_parameter_stands(context, seed_sources):
    mechanism = next(m for m in context.mechanisms if m.name == "signed_discount")
    code = inserted(Code(seed_sources["cfr_plus"]), context, mechanism)
    (block,) = found(code, context, mechanism)
    (block,) = found(blocks.reparameterise(code, block, {"alpha": 3.25}), context, mechanism)
    assert [literal_value(node) for node in block.literals["alpha"]] == [3.25, 3.25]
    assert literal_value(block.literals["beta"][0]) == defaults(mechanism)["beta"]


def test_a_rewritten_block_is_ordinary_code_but_not_inserted_again(context, seed_sources):
    mechanism = next(m for m in context.mechanisms if m.name == "trend")
    text = inserted(Code(seed_sources["cfr_plus"]), context, mechanism).text
    code = Code(
        text.replace("cumulative_regret - self.trend_average", "cumulative_regret - 2 * self.trend_average")
    )
    assert found(code, context, mechanism) == []
    assert not blocks.can_insert(code, site_of(code, context, mechanism), mechanism)


def test_names_that_the_program_uses_are_not_taken(context, seed_sources):
    trend = next(m for m in context.mechanisms if m.name == "trend")
    head = "        return info_states.normalize"
    for line in ("trend_gap = 1.0", "self.trend_average = 1.0", "cumulative_regret = cfr_regrets"):
        code = Code(seed_sources["cfr_plus"].replace(head, f"        {line}\n{head}"))
        assert not blocks.can_insert(code, site_of(code, context, trend), trend)


def test_what_others_read_is_not_removed(context, seed_sources):
    trend = next(m for m in context.mechanisms if m.name == "trend")
    text = inserted(Code(seed_sources["cfr_plus"]), context, trend).text
    used = Code(text.replace("normalize(cumulative_regret)", "normalize(cumulative_regret + trend_gap)"))
    (block,) = found(used, context, trend)
    assert not blocks.can_remove(block)


def test_an_alias_of_the_program_is_used_and_kept_in_meaning(context):
    source = (
        "import numpy as np\n\nclass PolicyFromRegretAccumulator:\n"
        "    def get_updated_current_policy(\n"
        "        self, info_states, iteration_number, cfr_regrets, previous_policy\n"
        "    ):\n"
        "        cumulative_regret = info_states.cumulative_regret\n"
        "        return info_states.normalize(cumulative_regret**2)\n"
    )
    prediction = next(m for m in context.mechanisms if m.name == "prediction")
    code = inserted(Code(source), context, prediction)
    assert code.text.count("info_states.cumulative_regret") == 1
    assert canonical_hash(removed(code, context, prediction).text) == canonical_hash(source)


def test_negative_constants_are_written_and_read():
    mechanism = Mechanism("m", "C", "x", "x", "s", "x = x + {shift}", (Parameter("shift", -0.5, -1.0, -0.1),))
    assert blocks.render(mechanism, {"shift": -0.25}) == "x = x + -0.25"
