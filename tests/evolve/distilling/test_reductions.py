"""What could go from a program, and that each of it leaves a smaller program that parses."""

import ast
import asyncio
import random

import pytest

import seeds
from evaluators.records import Candidate
from evaluators.registry import get_domain
from evolve.distilling.reductions import reduced, reductions
from evolve.operators.base import Context
from evolve.operators.symbolic import SymbolicOperator
from evolve.source.code import Code
from evolve.source.tree import Size, digits, size_of


def bodies_after(code, context):
    """What is told of each reduction -> the method's body after it; not of those that make nothing smaller."""
    found = {}
    for reduction in reductions(code, context):
        smaller = reduced(code, reduction, context)
        if smaller:
            body = ast.parse(smaller.text).body[-1].body[-1].body
            found[reduction.what] = "\n".join(map(ast.unparse, body))
    return found


@pytest.mark.parametrize(
    "before, what, after",
    [
        ("return x * (x + 1.5)", "* (x + 1.5) in Answer", "return x"),
        ("return x * (x + 1.5)", "x * in Answer", "return x + 1.5"),
        ("return x * (x + 1.5)", "x + in Answer", "return x * 1.5"),
        ("return x ** 3.0", "** 3.0 in Answer", "return x"),
        ("return x - 2.5", "- 2.5 in Answer", "return x"),
        ("return x / 2.5", "/ 2.5 in Answer", "return x"),
        ("return -x", "-x → x in Answer", "return x"),
        ("return np.where(x > 0, x, 2)", "np.where(x > 0, x, 2) → x in Answer", "return x"),
        ("return np.where(x > 0, x, 2)", "np.where(x > 0, x, 2) → 2 in Answer", "return 2"),
        ("return max(x, 5)", "max(x, 5) → x in Answer", "return x"),
        ("return np.sqrt(x)", "np.sqrt(x) → x in Answer", "return x"),
        ("return np.clip(x, 0, 5)", "np.clip(x, 0, 5) → x in Answer", "return x"),
        ("return x if x > 2 else 7", "x if x > 2 else 7 → 7 in Answer", "return 7"),
        ("return x > 1 and x < 5 and x != 2", "", "return x > 1 and x < 5"),
        ("return 0.1234 * x", "0.1234 → 0.1 in Answer", "return 0.1 * x"),
        ("return 0.1234 * x", "0.1234 → 1.0 in Answer", "return 1.0 * x"),
        ("return max(-20.0, x)", "-20.0 → 0.0 in Answer", "return max(0.0, x)"),
        ("return 517 + x", "517 → 500 in Answer", "return 500 + x"),
        ("return 0.123 + x * 4.56", "digits of all constants beyond 1", "return 0.1 + x * 5.0"),
        ("x = x + 1\nreturn x", "x = x + 1 in Answer", "return x"),
        ("if x > 3:\n    x = 3\nreturn x", "if x > 3: in Answer", "return x"),
        ("if x > 3:\n    x = 4\n    x += x\nreturn x", "all but the if x > 3 in Answer", "x = 4\nx += x\nreturn x"),
        ("y = 3 * x\nz = y + x\nreturn z * x", "z * in Answer", "return x"),
    ],
)  # fmt: skip
def test_a_reduction(program, context, before, what, after):
    found = bodies_after(program(*before.split("\n"), above=["import numpy as np", ""]), context)
    assert found.get(what) == after if what else after in found.values()


def test_functions_of_other_objects_are_left_alone(program, context):
    assert not any("→" in what for what in bodies_after(program("return x.mean(x)"), context))


def test_a_mechanism_goes_with_its_header(program, context):
    code = program("# double: multiplies what comes", "x = 3.0 * x", "", "return x + 1")
    found = reductions(code, context)[1]
    assert found.what == "mechanism double of Answer"
    assert reduced(code, found, context).text == program("return x + 1").text


def test_a_mechanism_keeps_its_header_when_its_constant_is_rounded(program, context):
    code = program("# double: multiplies what comes", "x = 3.25 * x", "", "return x")
    found = {r.what: r for r in reductions(code, context)}["factor of double: 3.25 → 3.0 in Answer"]
    assert reduced(code, found, context).text == code.text.replace("3.25", "3.0")


def test_a_name_that_is_still_read_keeps_its_only_binding(program, context):
    assert "y = 2 * x in Answer" not in bodies_after(program("y = 2 * x", "return y * y"), context)


def test_text_elsewhere_is_untouched(program):
    code = program("return (  # first", "    x + 1", ") * (2 + x)  # second")
    product = code.tree.body[0].body[0].body[0].value
    assert code.replaced(product.right, "x").text == code.text.replace("(2 + x)", "x")
    assert code.replaced(product, "x + 1 if x else 2").text != code.text


@pytest.mark.parametrize("domain, name", [("cfr", "vad_cfr"), ("psro", "shor_psro")])
def test_every_reduction_of_a_seed_parses_and_is_smaller(domain, name):
    known = get_domain(domain)
    context = Context(known.components, known.mechanisms, domain)
    code = Code(seeds.source(domain, name))
    found = reductions(code, context)
    assert len({r.key for r in found}) == len(found) > 60
    smaller = [s for s in (reduced(code, r, context) for r in found[::3]) if s]
    assert len(smaller) > 20
    for made in smaller:
        assert size_of(ast.parse(made.text)) == size_of(made.tree) < size_of(code.tree)


def test_all_mechanisms_of_an_evolved_program_can_go():
    known = get_domain("cfr")
    context = Context(known.components, known.mechanisms, "cfr")
    seed = Code(seeds.source("cfr", "cfr_plus"))
    parent = Candidate(0, "seed", "id", source=seed.text)
    code = Code(asyncio.run(SymbolicOperator().propose([parent], context, random.Random(4))).source)
    while left := [r for r in reductions(code, context) if r.what.startswith("mechanism")]:
        code = reduced(code, left[0], context)
    assert size_of(code.tree) == size_of(seed.tree)


def test_size_is_nodes_then_digits(program):
    assert size_of(program("return x").tree) < size_of(program("return x + 1").tree)
    assert size_of(program("return 0.5 * x").tree) < size_of(program("return 0.51 * x").tree)
    documented = program('"""Says much."""', "return x  # and more")
    assert size_of(documented.tree) == size_of(program("return x").tree)
    assert Size(2, 9) < Size(3, 0)


@pytest.mark.parametrize(
    "number, count", [(0, 0), (1.0, 0), (-1, 0 + 1), (0.125, 3), (500, 1), (1e-9, 1), (True, 0), ("1.5", 0)]
)
def test_digits(number, count):
    assert digits(number) == count
