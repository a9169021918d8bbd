"""Names that belong to a tree's surroundings, and names that it binds there."""

import ast

import pytest

from evaluators.contract import Component, Mechanism
from evolve.operators.blocks import can_insert
from evolve.source.code import Code
from evolve.source.sites import find_sites
from evolve.source.tree import bound_names, outer_names


@pytest.mark.parametrize(
    ("source", "outer", "bound"),
    [
        ("y = x", "x y", "y"),
        ("y += x", "x y", "y"),
        ("[x for x in xs]", "xs", ""),
        ("[x for x in x]", "x", ""),
        ("x + sum(x for x in xs)", "sum x xs", ""),
        ("{k: v + w for k, v in d.items() if k > w}", "d w", ""),
        ("[x + y for x in xs for y in x]", "xs", ""),
        ("[last := x for x in xs]", "last xs", "last"),
        ("for x in xs: y = x", "xs y", "x y"),
        ("for x in xs: y = x\nz = x", "x xs y z", "x y z"),
        ("for x in x: pass", "x", "x"),
        ("for i, (a, *b) in xs: f(i, a, b)", "f xs", "a b i"),
        ("for a[i] in xs: f(a, i)", "a f i xs", ""),
        ("for x in xs: pass\nelse: f(x)", "f xs", "x"),
        ("for x in xs:\n    for y in x: f(x, y)", "f xs", "x y"),
        ("self.total = x.mean()", "self x", ""),
        ("lambda x: x + y", "x y", ""),
    ],
)
def test_names(source, outer, bound):
    tree = ast.parse(source)
    assert outer_names(tree) == set(outer.split())
    assert bound_names(tree) == set(bound.split())


METHOD = Component("Rule", "value", ("things",))
LOOP = Mechanism(
    "loop", "Rule", "return", "total", "adds things", "\nfor x in things:\n    total = total + x\n"
)


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ("total = sum(things)", True),
        ("total = sum(x for x in things)", True),
        ("for x in things:\n            print(x)\n        total = len(things)", True),
        # The loop would make x a variable of the method, without a value when it is read.
        ("total = x * len(things)", False),
        ("for x in things:\n            pass\n        total = x", False),
    ],
)
def test_a_loop_takes_no_name_that_means_something(body, fits):
    code = Code(
        f"x = 3\n\n\nclass Rule:\n    def value(self, things):\n        {body}\n        return total\n"
    )
    assert can_insert(code, find_sites(code, [METHOD])["Rule"], LOOP) is fits
