"""The static check of a CFR program: what it accepts, and the one line that it says otherwise."""

import pytest

import seeds
from evaluators.cfr.domain import COMPONENTS, DOMAIN, wants_counterfactual_reach
from evaluators.contract import ProgramError

SEED = seeds.source("cfr", "cfr_plus")
METHOD = "RegretAccumulator.update_accumulate_regret(self, info_states, iteration_number, cfr_regrets)"


def refused(source):
    with pytest.raises(ProgramError) as caught:
        DOMAIN.check(source)
    return caught.value


def test_accepts_the_seed():
    DOMAIN.check(SEED)


@pytest.mark.parametrize(
    "more",
    [
        "\nHELPER = 1\n\nclass Other:\n    pass\n",
        "\ndef helper():\n    return 1\n",
    ],
)
def test_accepts_what_stands_beside_the_classes(more):
    DOMAIN.check(SEED + more)


def test_accepts_an_annotated_method():
    DOMAIN.check(SEED.replace("cfr_regrets):", "cfr_regrets: np.ndarray) -> np.ndarray:"))


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_names_the_missing_class_and_those_there_are(component):
    error = refused(SEED.replace(f"class {component.name}:", "class Else:"))
    there = [c.name if c is not component else "Else" for c in COMPONENTS]
    assert error.message == f"program: expected a class {component.name}; it has {', '.join(there)}."


def test_says_when_there_is_no_class_at_all():
    error = refused("x = 1\n")
    assert error.message == "program: expected a class RegretAccumulator; it has no class."
    assert "PolicyAccumulator" in error.hint


def test_a_class_inside_something_does_not_count():
    body = "\n".join(f"    {line}" for line in SEED.splitlines())
    assert "it has no class" in refused(f"if True:\n{body}\n").message


def test_names_the_nearest_method():
    error = refused(SEED.replace("def update_accumulate_regret", "def update_accumulated_regret"))
    assert error.message == (f"program: expected a method {METHOD}; the class has update_accumulated_regret.")
    assert error.hint == "Did you mean 'update_accumulated_regret'?"


def test_shows_the_arguments_that_came():
    error = refused(SEED.replace("iteration_number, cfr_regrets):", "cfr_regrets, iteration_number):"))
    assert error.message == (
        f"program: expected {METHOD}; got (self, info_states, cfr_regrets, iteration_number)."
    )


@pytest.mark.parametrize("arguments", ["*args", "cfr_regrets, **options", "cfr_regrets, *, more=1"])
def test_no_argument_may_be_left_open(arguments):
    assert "expected RegretAccumulator" in refused(SEED.replace("cfr_regrets):", f"{arguments}):")).message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class A:\n    def f(:\n", "program, line 2: expected Python source; it does not parse"),
        ("x = '\n", "program, line 1: "),
        ("\0", "it does not parse"),
        ("(" * 5000 + ")" * 5000, "it does not parse"),
    ],
)
def test_source_that_does_not_parse_says_where(source, said):
    error = refused(source)
    assert said in error.message
    assert "\n" not in error.message


def test_counterfactual_reach_is_computed_for_programs_that_read_it():
    assert not wants_counterfactual_reach(SEED)
    assert wants_counterfactual_reach(SEED.replace("weight =", "weight = counterfactual_reach_prob *"))
    assert wants_counterfactual_reach(
        SEED.replace("weight =", "weight = locals()['counterfactual_' 'reach_prob'] *")
    )
