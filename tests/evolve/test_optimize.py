"""`evolve.optimize`: one function of somebody's own, scored by a callable that stays in this process."""

import ast
import math
import os

import pytest

import evolve
from evaluators.contract import ProgramError
from evaluators.records import Metric
from evolve.errors import ConfigError, EvolveError

SOURCE = '''
def _squared(x):
    return x * x


def cosine(x):
    """Approximate the cosine."""
    y = _squared(x)
    return 1 - 0.3 * y + 0.02 * y * y
'''
INPUTS = [(0.5,), (1.0,), (1.5,)]
SEEN = []


def closeness(output, x):
    SEEN.append(os.getpid())
    return -abs(output - math.cos(x))


@pytest.fixture
def db(tmp_path):
    return str(tmp_path / "evolve.db")


@pytest.fixture(scope="module")
def optimized(cache_dir, tmp_path_factory):
    db = str(tmp_path_factory.mktemp("optimized") / "evolve.db")
    return evolve.optimize(program=SOURCE, inputs=INPUTS, score=closeness, candidates=25, db=db)


def run(source, inputs=INPUTS, score=closeness, **options):
    return evolve.optimize(source, inputs, score, candidates=2, **options)


def test_five_lines_find_a_better_function(optimized):
    assert optimized.score > optimized.given
    namespace = {}
    exec(optimized.source, namespace)
    values = [closeness(namespace["cosine"](*one), *one) for one in INPUTS]
    assert sum(values) / 3 == pytest.approx(optimized.score)
    given = {}
    exec(SOURCE, given)
    assert sum(closeness(given["cosine"](*one), *one) for one in INPUTS) / 3 == pytest.approx(optimized.given)


def test_the_source_is_a_function_again(optimized):
    body = ast.parse(optimized.source).body
    assert not [node for node in body if isinstance(node, ast.ClassDef)]
    assert [node.name for node in body if isinstance(node, ast.FunctionDef)] == ["_squared", "cosine"]


def test_the_scorer_stays_in_this_process(optimized):
    assert set(SEEN) == {os.getpid()}


def test_it_is_an_ordinary_campaign(optimized):
    (campaign,) = evolve.campaigns(db=optimized.db)
    assert campaign.name == optimized.campaign == "optimize-cosine"
    (best, *_) = evolve.top(optimized.campaign, n=1, db=optimized.db)
    assert best.value == pytest.approx(optimized.score)
    assert 2 <= optimized.evaluations <= 25


def test_the_same_seed_finds_the_same(optimized, db):
    again = evolve.optimize(program=SOURCE, inputs=INPUTS, score=closeness, candidates=25, db=db)
    assert (again.source, again.score) == (optimized.source, optimized.score)


def test_every_call_is_a_campaign_of_its_own(db):
    assert [run(SOURCE, db=db).campaign for _ in range(2)] == ["optimize-cosine", "optimize-cosine-2"]


def test_a_named_campaign_goes_on(db):
    first = evolve.optimize(SOURCE, INPUTS, closeness, candidates=3, name="mine", db=db)
    more = evolve.optimize(SOURCE, INPUTS, closeness, candidates=6, name="mine", db=db)
    assert first.campaign == more.campaign == "mine"
    assert more.score >= first.score
    assert more.given == first.given


def test_smaller_may_be_better(db):
    best = run(SOURCE, score=lambda output, x: abs(output - math.cos(x)), direction="min", db=db)
    assert 0 < best.score <= best.given


def test_a_metric_says_more_than_a_direction(db):
    metric = Metric("error", "absolute error", "min", "log", 0.01)
    best = run(SOURCE, score=lambda output, x: abs(output - math.cos(x)) + 1e-9, metric=metric, db=db)
    assert 0 < best.score <= best.given
    assert evolve.campaigns(db=db)[0].metric == metric


def test_the_scorer_may_take_the_output_alone(db):
    assert run("def f(x):\n    return 2.0 * x\n", [(1,), (2,)], lambda output: output, db=db).given == 3.0
    assert run("def f(x):\n    return -2.0 * x\n", [(1,), (2,)], abs, db=db).given == 3.0


def test_plain_data_and_arguments_with_defaults(db):
    source = "def f(items, words, n=3):\n    return {'sum': sum(items) + len(words['a']) + 0.5 * n}\n"
    best = run(source, [([1, 2], {"a": "xyz"})], lambda output, *_: output["sum"], db=db)
    assert best.given == 7.5


def test_the_function_can_be_named(db):
    source = "def first(x):\n    return 1.5 * x\n\n\ndef second(x):\n    return 3.5 * x\n"
    assert run(source, [(2,)], lambda output: output, function="first", db=db).given == 3.0
    assert run(source, [(2,)], lambda output: output, db=db).given == 7.0


def test_a_program_may_be_a_file(db, tmp_path):
    (tmp_path / "mine.py").write_text(SOURCE)
    assert run(tmp_path / "mine.py", db=db).given == run(str(tmp_path / "mine.py"), db=db).given


def refuse(output, x):
    raise ValueError(f"no packing at {x}")


@pytest.mark.parametrize(
    ("source", "score", "message"),
    [
        (SOURCE, refuse, "input-0: ValueError: no packing at 0.5; the output is 0.9"),
        (SOURCE, lambda output, x: math.nan, "expected finite numbers"),
        (SOURCE, lambda output, x: None, "TypeError"),
        (
            "def f(x):\n    return {1, 2}\n",
            closeness,
            "expected numbers, strings, lists and dicts; got a set",
        ),
        ("def f(x):\n    return 1 / 0\n", closeness, "ZeroDivisionError"),
        ("def f(x):\n    return 'no number'\n", closeness, "the output is a str"),
    ],
)
def test_a_given_program_that_fails_is_refused(db, source, score, message):
    with pytest.raises(EvolveError, match="the seed program ended as") as caught:
        run(source, score=score, db=db)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("x = 1\n", {}, "expected a function at the top level"),
        (SOURCE, {"function": "cosin"}, "expected the name of one; got 'cosin'"),
        ("def f(x, y):\n    return x\n", {}, r"expected f\(x, y\) to take 1 arguments"),
        ("def f():\n    return 1\n", {}, r"expected f\(\) to take 1 arguments"),
        ("def f(:\n    return 1\n", {}, "does not parse"),
        ("missing.py", {}, "missing.py"),
    ],
)
def test_what_is_no_program(db, source, options, message):
    with pytest.raises(ProgramError, match=message):
        run(source, db=db, **options)


@pytest.mark.parametrize("inputs", [[], [3], [(1,), (1, 2)], [[1]]])
def test_what_are_no_inputs(db, inputs):
    with pytest.raises(ConfigError, match="inputs: expected a list of tuples"):
        run(SOURCE, inputs, db=db)
