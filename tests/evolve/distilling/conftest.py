"""A domain of functions of one number: small sources, and scores that are a function of them."""

from __future__ import annotations

import pytest

from evaluators.contract import Component, Mechanism, Parameter, ProgramError
from evaluators.records import Evaluation, Outcome, Score, Tag
from evolve.operators.base import Context
from evolve.source.code import Code

DOUBLE = Mechanism(
    name="double",
    component="Answer",
    target="x",
    variable="x",
    summary="multiplies what comes",
    body="x = {factor} * x",
    parameters=(Parameter("factor", 2.0, 1.0, 9.0),),
)


class Numbers:
    """Programs are functions of one number; `score` judges the source."""

    name = "numbers"
    components = (Component("Answer", "value", ("x",)),)
    mechanisms = (DOUBLE,)
    objective = "score"

    def check(self, source):
        if "class Answer" not in source:
            raise ProgramError("program: expected a class Answer.")


@pytest.fixture
def domain():
    return Numbers()


@pytest.fixture
def context():
    return Context(Numbers.components, Numbers.mechanisms, Numbers.name)


def code_of(*lines, above=(), inside=()):
    """A program whose method has these lines."""
    body = [f"        {line}" for line in lines]
    members = [f"    {line}" for line in inside]
    return Code("\n".join([*above, "class Answer:", *members, "    def value(self, x):", *body]))


@pytest.fixture
def program():
    return code_of


@pytest.fixture
def value():
    """What a program's method gives for a number."""

    def run(source, x):
        namespace = {}
        exec(source, namespace)
        return namespace["Answer"]().value(x)

    return run


def evaluated(score, tag=Tag.OK):
    if tag is not Tag.OK:
        return Evaluation(Outcome(tag, "boom"))
    return Evaluation(Outcome(tag), scores={"score": Score(score)}, stages={"all": Score(score)})


@pytest.fixture
def evaluation():
    return evaluated
