"""Programs that try to win without being better: they end as what they are, or play like their honest twin."""

import pytest

import seeds
from evaluators.psro.domain import DOMAIN
from evaluators.records import Tag
from sandbox.base import Level
from sandbox.inprocess import InProcessSandbox
from sandbox.process import ProcessSandbox

TWIN = seeds.source("psro", "uniform")
GAMES, ITERATIONS = ("kuhn2", "kuhn3"), 12


@pytest.fixture(scope="module")
def box():
    with ProcessSandbox(modules=DOMAIN.sandbox_modules) as sandbox:
        if sandbox.level < Level.KERNEL:
            pytest.skip(f"needs Landlock and seccomp, this machine gives {sandbox.level.label}")
        yield sandbox


def evaluate(source, box=None, games=GAMES):
    plan = DOMAIN.plan(games, tiers=("exact",), budget=ITERATIONS)
    return DOMAIN.evaluate(source, plan, box or InProcessSandbox())


@pytest.fixture(scope="module")
def honest():
    return [result.curve for result in evaluate(TWIN).results]


def cheat(body, mentions="(game.deviation_payoffs, meta_games)"):
    """The twin, whose train-time method runs `body` before it; `mentions` has it get everything there is to get."""
    return f"""{TWIN}
_honest = TrainMetaStrategySolver.get_meta_strategy

def get_meta_strategy(self, game, policy_sets, meta_games):
    {mentions}
    result = _honest(self, game, policy_sets, meta_games)
{body}
    return result

TrainMetaStrategySolver.get_meta_strategy = get_meta_strategy
"""


WITHOUT_EFFECT = {
    "payoffs through the back door": """
    for m in meta_games:
        try:
            m[:] = 7.0
        except ValueError:
            pass
        base = m.base if m.base is not None else m
        try:
            base.flags.writeable = True
            base[:] = 7.0
        except ValueError:
            pass
""",
    "growing lists": """
    for own in policy_sets:
        own += own
    meta_games.append(meta_games[0])
    policy_sets.clear()
""",
    "another iteration": """
    game.iteration = 10**6
""",
    "smaller populations": """
    kept = list(game._sizes)
    game._sizes.clear()
    game._sizes.extend(kept)
    del game._payoffs
    game._payoffs = None
""",
    "its own frames": """
    import sys
    frame = sys._getframe()
    while frame is not None:
        names = dict(frame.f_globals) | dict(frame.f_locals)
        for name in ("exploitability", "populations", "game_string"):
            if name in names and hasattr(names[name], "best_responses"):
                names[name].best_responses = lambda mixtures: []
        frame = frame.f_back
""",
}


@pytest.mark.parametrize("trick", WITHOUT_EFFECT)
def test_tricks_without_effect(trick, box, honest):
    found = evaluate(cheat(WITHOUT_EFFECT[trick]), box)
    assert found.outcome.tag is Tag.OK, found.outcome.message
    assert [result.curve for result in found.results] == honest


def test_payoffs_cannot_be_written(box):
    found = evaluate(cheat("    meta_games[0][:] = 7.0"), box)
    assert found.outcome.tag is Tag.EXCEPTION
    assert "read-only" in found.outcome.message


INVALID = {
    "not a number": ("result[1][0] = np.nan", "player 1: expected finite weights; weight 0 is nan"),
    "infinite": ("result[0][0] = np.inf", "player 0: expected finite weights"),
    "negative": ("result[0][0] = -0.5", "player 0: expected no weight below -1e-09; weight 0 is -0.5"),
    "no mass": ("result[0] *= 0.0", "player 0: expected weights with a positive sum"),
    "too long": (
        "result[1] = np.ones(99)",
        "player 1: expected shape (1,), one weight for each policy; got (99,)",
    ),
    "a table": ("result[1] = np.ones((1, 1))", "player 1: expected shape (1,)"),
    "a vector less": ("del result[0]", "expected a list of 2 weight vectors, one for each player; got 1"),
    "nothing": ("result = None", "expected a list of 2 weight vectors, one for each player; got NoneType"),
    "words": ("result[0] = ['all']", "player 0: expected 1 numbers; got list"),
}


@pytest.mark.parametrize("answer", INVALID)
def test_answers_that_are_none(answer, box):
    body, message = INVALID[answer]
    found = evaluate(cheat(f"    {body}"), box, ["kuhn2"])
    assert found.outcome.tag is Tag.INVALID
    assert found.outcome.message.startswith("kuhn2: iteration 0, train")
    assert message in found.outcome.message
    assert found.scores == {}


@pytest.mark.parametrize("negative", [-1e-10, -1e-9])
def test_rounding_below_zero_is_none(negative, honest):
    found = evaluate(
        cheat(f"    result[0] = np.append(result[0][1:], {negative}) if game.iteration else result[0]")
    )
    assert found.outcome.tag is Tag.OK


FORGED = {
    "another shape": (
        "callback('deviation_payoffs', (0,), (np.ones(99),))",
        "expected float64 weights of shape (2,)",
    ),
    "another type": (
        "callback('deviation_payoffs', (0,), (np.ones(2, np.int64),))",
        "expected float64 weights",
    ),
    "no weights": ("callback('best_response_values')", "expected float64 weights of shape (2,)"),
    "weights that are no numbers": (
        "callback('best_response_payoffs', (), (np.full(2, np.nan),))",
        "best_response_payoffs, player 0: expected finite weights; weight 0 is nan",
    ),
    "negative weights": (
        "callback('best_response_payoffs', (), (np.array([1.0, -1.0]),))",
        "best_response_payoffs, player 1: expected no weight below -1e-09; weight 0 is -1",
    ),
    "weights without mass": (
        "callback('best_response_payoffs', (), (np.array([1.0, 0.0]),))",
        "best_response_payoffs, player 1: expected weights with a positive sum",
    ),
    "another player": (
        "callback('deviation_payoffs', (7,), (np.ones(2),))",
        "expected a player below 2; got 7",
    ),
    "no player": ("callback('deviation_payoffs', (), (np.ones(2),))", "below 2; got no number"),
    "two players": ("callback('deviation_payoffs', (0, 1), (np.ones(2),))", "below 2; got 0, 1"),
    "a player that is no number": (
        "callback('deviation_payoffs', (np.nan,), (np.ones(2),))",
        "expected a player below 2; got nan",
    ),
    "an infinite player": (
        "callback('deviation_payoffs', (np.inf,), (np.ones(2),))",
        "expected a player below 2; got inf",
    ),
    "a player beyond all": (
        "callback('deviation_payoffs', (-np.inf,), (np.ones(2),))",
        "expected a player below 2; got -inf",
    ),
    "half a player": (
        "callback('deviation_payoffs', (0.5,), (np.ones(2),))",
        "expected a player below 2; got 0.5",
    ),
    "a negative player": (
        "callback('deviation_payoffs', (-2,), (np.ones(2),))",
        "expected a player below 2; got -2",
    ),
    "a giant player": (
        "callback('deviation_payoffs', (1e308,), (np.ones(2),))",
        "expected a player below 2; got 1e+308",
    ),
    "words": ("callback('deviation_payoffs', ('all',), (np.ones(2),))", "required argument is not a float"),
    "another callback": (
        "callback('exploitability')",
        "expected one of deviation_payoffs, best_response_values, best_response_payoffs",
    ),
}


@pytest.mark.parametrize("question", FORGED)
def test_forged_questions(question, box):
    call, message = FORGED[question]
    stolen = f"callback = type(game).deviation_payoffs.__globals__['callback']; {call}"
    found = evaluate(cheat(f"    {stolen}"), box, ["kuhn2"])
    assert found.outcome.tag in {Tag.INVALID, Tag.EXCEPTION}
    assert message in found.outcome.message


@pytest.mark.parametrize("value", ["np.nan", "np.inf", "-np.inf", "-1.0", "1e308", "0.0"])
def test_numbers_that_are_none_do_no_harm(value, box, honest):
    stolen = "callback = type(game).deviation_payoffs.__globals__['callback']"
    asked = f"weights = np.full(sum(game._sizes), {value}); callback('deviation_payoffs', (-1,), (weights,))"
    asked += "; callback('best_response_values', (3.5, np.nan), (weights,))"
    found = evaluate(cheat(f"    {stolen}; {asked}"), box)
    assert [result.curve for result in found.results] == honest


FORGED_TOKEN = """
import os
import struct

import numpy as np

header = struct.pack("<BBB17sBBQ", 17, 1, 1, b"deviation_payoffs", 1, 1, 0)
token = b"Q" + struct.pack("<H", len(header)) + header + struct.pack("<d", -1.0)
os.write(4, token)

"""


def test_a_question_before_anything_was_asked(box):
    found = evaluate(FORGED_TOKEN + TWIN, box, ["kuhn2"])
    assert found.outcome.tag is Tag.INVALID
    assert "expected no question before the first get_meta_strategy" in found.outcome.message


def test_an_attribute_that_is_not_there_says_what_is(box):
    found = evaluate(cheat("    game.new_initial_state()"), box)
    assert found.outcome.tag is Tag.EXCEPTION
    assert "a PSRO program is given a view of the game" in found.outcome.message
    found = evaluate(cheat("    policy_sets[0][0].action_probabilities(None)"), box)
    assert "the policy itself is not given" in found.outcome.message
