"""Much of the same: thousands of candidates in the sandbox, campaigns killed at random, sources mangled at random.

A little of each runs with the other tests. ``make soak`` runs hours of it; SHARE, which is 1 there, makes it less.
"""

import asyncio
import os
import random
import re

import pytest

import seeds
from benchmarks.soak import soak
from evaluators.records import Candidate, Evaluation, Outcome, Score, Tag
from evaluators.registry import get_domain
from evaluators.testing import FakeDomain
from evolve.operators.base import Context, ProposalError
from evolve.operators.crossover import CrossoverOperator
from evolve.operators.symbolic import SymbolicOperator
from evolve.prompting.prompter import Prompter
from evolve.search.log import CandidateLog
from evolve.search.proposer import Screen

SHARE = float(os.environ.get("EVOLVE_SOAK_SHARE", "1"))


def amounts(few, many, *, marks=()):
    """How much a test does: a little, and under ``make soak`` a share of what it could."""
    soaking = pytest.param(max(few, int(many * SHARE)), marks=pytest.mark.soak, id="soak")
    return pytest.mark.parametrize("amount", [pytest.param(few, marks=marks, id="few"), soaking])


@amounts(200, 40_000, marks=pytest.mark.slow)
def test_a_sandbox_leaves_nothing_and_judges_every_candidate(amount):
    report = soak(amount)
    assert report.wrong == ()
    assert (report.candidates, report.hostile) == (amount, amount // 10)


@amounts(4, 3000)
def test_whatever_its_settings_a_campaign_that_dies_again_and_again_comes_to_the_same(
    toy, new_db, contents, mortal, amount
):
    for number in range(amount):
        draw = random.Random(f"soak {number}")
        noise = draw.choice([0.0, 0.3])
        domain = {"noise": noise, "samples": draw.randint(1, 4), "refinements": draw.randint(0, 3)}
        config = toy.config(
            candidates=draw.randint(5, 40),
            lookahead=draw.randint(1, 9),
            attempts=draw.randint(1, 3),
            crossover=draw.random() / 2,
            seed=draw.randrange(1000),
            population={
                "islands": draw.randint(1, 3),
                "archive": draw.randint(2, 6),
                "migrate_every": draw.randint(1, 8),
                "stagnation": draw.randint(2, 20),
            },
        )
        whole, db = new_db(), new_db()
        toy.run(whole, config.model_copy(update={"workers": 1}), domain=FakeDomain("toy", **domain))
        for _ in range(4):
            lives = draw.randint(0, 4 * config.candidates)
            workers = draw.randint(1, 4)
            try:
                toy.run(
                    db,
                    config.model_copy(update={"workers": workers}),
                    domain=FakeDomain("toy", **domain),
                    wrap=lambda writer, lives=lives: mortal(writer, lives),
                )
            except (mortal.Crash, ExceptionGroup):
                continue
        toy.run(db, config, domain=FakeDomain("toy", **domain))
        assert contents(db, "toy") == contents(whole, "toy"), number


_PIECES = (
    "(", ")", "[", "]", ":", ",", "\\\n\n", "\n", "    ", "\t", "'", '"""', "#", "lambda x: ", "not ", "-", "**",
    "1" * 5000, "0x" + "f" * 4000, "1e999", "1j", "...", "yield ", "await ", "\0", "\x0c", "\ufeff", "\u017f",
    "\udc80", "global x\n", "import os\n", "if 1:\n", "else:\n", "@x\n", "*a, ", "f'{", "}", "match x:\n", "return ",
    "class A: pass\n", "x = " + "(" * 150, " + ".join(["1"] * 400), "nonlocal q\n", "assert 0\n", "del x\n", ":=",
    "# type: ignore\n", "\\", ";",
)  # fmt: skip


def mangled(sources, draw):
    """A seed's source with a few pieces cut out, doubled, swapped for others or mixed with another seed's."""
    text = draw.choice(sources)
    for _ in range(draw.choice([1, 1, 2, 3, 8])):
        tokens = re.split(r"(\W)", text)
        at = draw.randrange(len(tokens))
        kind = draw.random()
        if kind < 0.3:
            tokens[at] = draw.choice(_PIECES)
        elif kind < 0.5:
            del tokens[at : at + draw.randint(1, 12)]
        elif kind < 0.7:
            tokens.insert(at, draw.choice(tokens))
        elif kind < 0.85:
            tokens[at] = draw.choice(re.split(r"(\W)", draw.choice(sources)))
        else:
            lines = text.split("\n")
            first, second = draw.randrange(len(lines)), draw.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            tokens = ["\n".join(lines)]
        text = "".join(tokens)
    return text


@pytest.mark.parametrize("name", ["cfr", "psro"])
@amounts(150, 100_000)
def test_any_source_is_screened_and_what_passes_can_be_a_parent(name, amount):
    """Screening says no in words, or the program can be shown to models, changed and crossed, whatever is in it."""
    domain, draw = get_domain(name), random.Random(f"soak {name}")
    sources = [seeds.source(name, seed) for seed in seeds.names(name)]
    screen = Screen(domain)
    prompter = Prompter(domain, families=["kuhn2"], objective=domain.objective, examples=2)
    scored = Evaluation(Outcome(Tag.OK), scores={domain.objective: Score(1.0)})
    seed = Candidate(0, "seed", "id0", (), "", 0, scored.outcome, domain.seed_source(domain.seed), scored)
    passed = 0
    for ordinal in range(1, amount + 1):
        source = mangled(sources, draw)
        _, outcome = screen.judge(source)
        if outcome is not None:
            assert outcome.tag is Tag.REJECTED
            assert outcome.message
        passed += outcome is None
        child = Candidate(ordinal, "llm", f"id{ordinal}", ("id0",), "", 0, scored.outcome, source, scored)
        log = CandidateLog(domain.objective, [seed, child]).upto(2)
        context = Context(domain.components, domain.mechanisms, name, ordinal, log)
        # Databases of earlier versions hold programs that are no longer admitted.
        prompter.first(child, context, draw)
        if outcome is None:
            prompter.merge(child, seed, context)
            asyncio.run(make_children(domain, child, seed, context, draw))
    assert passed > amount / 20


async def make_children(domain, first, second, context, rng):
    """Ask the operators that need no model."""
    for operator, parents in ((SymbolicOperator(), [first]), (CrossoverOperator(), [first, second])):
        try:
            proposal = await operator.propose(parents, context, rng)
        except ProposalError:
            continue
        domain.check(proposal.source)
