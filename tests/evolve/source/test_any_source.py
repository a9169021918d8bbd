"""Whatever a model writes, what reads sources works or refuses: no error of ours ends a campaign."""

import asyncio
import random
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import seeds
from evaluators.contract import ProgramError
from evaluators.records import Candidate, Tag
from evaluators.registry import get_domain
from evaluators.source import MAX_DEPTH, parse
from evolve.distilling.documentation import corrected
from evolve.distilling.reductions import reduced, reductions
from evolve.operators.base import Context, ProposalError
from evolve.operators.crossover import CrossoverOperator
from evolve.operators.patch import PatchError, check_scope, patch
from evolve.operators.symbolic import Mix, SymbolicOperator
from evolve.prompting.digest import code_lines, differing, what_changed
from evolve.search.proposer import Screen
from evolve.source.canonical import canonical_hash, form, statements
from evolve.source.code import Code
from results.text import diff, unified
from results.views.structure import kind_of

SOURCES = {
    name: {seed: seeds.source(name, seed) for seed in chosen}
    for name, chosen in {"cfr": ("cfr_plus", "vad_cfr"), "psro": ("uniform", "shor_psro")}.items()
}
CONTEXTS = {name: Context(get_domain(name).components, get_domain(name).mechanisms, name) for name in SOURCES}

CHARACTERS = [
    "\0", "\x0b", "\x0c", "\t", "\r", "\r\n", "\n", "\\\n\n", "\\\n", " ", "\u2028", "\x85", "\ufeff", "\ud800", "é",
    "\N{BLACK-LETTER CAPITAL H}", ";", ":", "#", '"""', "'", "(", ")", "@", "\\", "\u202e", "\N{NO-BREAK SPACE}",
]  # fmt: skip
EXPRESSIONS = [
    " + ".join(["1"] * (MAX_DEPTH - 20)), " + ".join(["1"] * 330), "-" * 150 + "1", "(" * 90 + "1" + ")" * 90,
    "(" * 250 + "1" + ")" * 250, "[" * 95 + "]" * 95, "x" + ".y" * 150, "f(" * 80 + ")" * 80, "not " * 120 + "x",
    "{1: " * 85 + "1" + "}" * 85, "lambda: " * 80 + "1", "x and (y or " * 45 + "z" + ")" * 45, "9" * 4000, "9" * 4400,
    "0x" + "f" * 4000, "0b1" + "0" * 900, "1e999", "-1e999", "1e-999", "9" * 300, "1j", "0x10", "1_000.5", "'\\ud800'",
    "f'{\"\u2028\"}'", "f'{x!r:{y}}'", "f'{f\"{1}\"}'", "b'\\x00'", "...", "(yield)", "[i for i in range(3)]",
    "1 if x else 2",
    "(a := 2)", "x[1:2, ...]", "*x", "await x", "u'u'", "'a' 'b'", "1 .real", "0xF.real", "- -1", "~1", "True", "-0.0",
]  # fmt: skip
STATEMENTS = [
    "x = 1; y = 2", "x = 1 \\\n", "if 1: pass", "if a:\n    pass\n" + "elif a:\n    pass\n" * 150, "def f(): pass",
    "@(\n    # a@b\n    f\n)\ndef g():\n    return 1", "class A(object): x = 1; y = 2", "async def f():\n    await g()",
    "match x:\n    case {'a': [1, *_]} if y:\n        pass", "# -*- coding: latin-1 -*-", "# coding: no-such-coding",
    "from __future__ import annotations", "del x", "global x", "x: int = 3", "try:\n    pass\nexcept* E:\n    pass",
    '"""A \\x00 \\ud800 \\x1b[0m \u202e text."""', "with a as b, c: pass", "for i in x: pass\nelse: pass",
    "import a.b as c, d",
    "x, (y, *z) = 1, 2", "x = y = 3", "x += 1", "raise", "return 1", "print(f'{x:>{w}}')", "type = 1", "\x0cx = 2",
    *(f"x = {expression}" for expression in EXPRESSIONS),
]  # fmt: skip


def indented(text, spaces):
    return "\n".join(spaces + line for line in text.split("\n"))


@st.composite
def sources(draw, domain):
    """A seed of a domain after a few damages."""
    text = SOURCES[domain][draw(st.sampled_from(sorted(SOURCES[domain])))]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["characters", "statement", "expression", "ends", "cut", "constant"]))
        if kind == "characters":
            place = draw(st.integers(0, len(text)))
            text = text[:place] + draw(st.sampled_from(CHARACTERS)) + text[place:]
        elif kind == "statement":
            lines = text.split("\n")
            place = draw(st.integers(0, len(lines) - 1))
            spaces = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
            lines.insert(place, indented(draw(st.sampled_from(STATEMENTS)), spaces))
            text = "\n".join(lines)
        elif kind in ("expression", "constant"):
            words = ["1.0", "0.0", "cfr_regrets", "policy_sets", "iteration_number", "x"]
            word = draw(st.sampled_from(words if kind == "expression" else words[:2]))
            text = text.replace(word, draw(st.sampled_from(EXPRESSIONS)), draw(st.integers(1, 3)))
        elif kind == "ends":
            text = text.replace("\n", draw(st.sampled_from(["\r\n", "\r", "\n\n", "\n\\\n"])))
        else:
            text = text[: draw(st.integers(0, len(text)))]
    return text


def programs():
    return st.sampled_from(sorted(SOURCES)).flatmap(lambda name: st.tuples(st.just(name), sources(name)))


def placed(text):
    """Examples with a line at the top, at the end and inside a method of a seed."""
    seed = SOURCES["cfr"]["cfr_plus"]
    line = "        cumulative"
    return [
        f"{text}\n{seed}",
        f"{seed}\n{text}\n",
        seed.replace(line, f"{indented(text, line[:8])}\n{line}", 1),
    ]


def each_example(test):
    for text in ["x = 1 \\\n", "x = 0x" + "f" * 4000, f"x = {' + '.join(['1'] * 330)}", "\\\n"]:
        for source in placed(text):
            test = example(("cfr", source))(test)
    return test


@settings(max_examples=150, deadline=None)
@each_example
@given(programs())
def test_screening_judges(case):
    domain, source = case
    tree_hash, stopped = Screen(get_domain(domain)).judge(source)
    assert stopped is None or stopped.tag is Tag.REJECTED
    if stopped is None:
        assert canonical_hash(source) == tree_hash == canonical_hash(Code(source).text)


def proposed(operator, context, rng, *sources):
    parents = [Candidate(0, "seed", "id", source=source) for source in sources]
    return asyncio.run(operator.propose(parents, context, rng)).source


@settings(max_examples=150, deadline=None)
@each_example
@given(programs())
def test_operators_make_a_program_or_refuse(case):
    domain, source = case
    operator = SymbolicOperator(Mix(further=0.8, remove=0.5, reparameterise=0.5), attempts=4)
    for seed in range(3):
        rng = random.Random(seed)
        try:
            source = proposed(operator, CONTEXTS[domain], rng, source)
        except ProposalError:
            break
        parse(source)
    for other in SOURCES[domain].values():
        for pair in ((source, other), (other, source)):
            with suppress(ProposalError):
                parse(proposed(CrossoverOperator(), CONTEXTS[domain], random.Random(0), *pair))


@settings(max_examples=150, deadline=None)
@each_example
@given(programs())
def test_what_shows_changes_reads_anything(case):
    domain, source = case
    for other in SOURCES[domain].values():
        for before, after in ((source, other), (other, source)):
            what_changed(before, after)
            kind_of(before, after)
            assert unified(before, after) or before == after
            assert diff(before, after).lines or before == after
        differing(source, {"other": other})
        differing(other, {"other": source})
    assert all(code_lines(source)) or not source.strip()


@settings(max_examples=100, deadline=None)
@each_example
@given(programs())
def test_what_a_model_answers_is_applied_or_refused(case):
    domain, source = case
    components = CONTEXTS[domain].components
    for other in SOURCES[domain].values():
        for parent, answer in ((other, f"```python\n{source}\n```"), (source, f"```python\n{other}\n```")):
            with suppress(PatchError):
                patch(parent, answer, components)
        with suppress(PatchError):
            check_scope(other, source, components)


@settings(max_examples=40, deadline=None)
@each_example
@given(programs())
def test_distilling_reads_any_program(case):
    domain, source = case
    try:
        code = Code(source)
    except ProgramError:
        return
    context = CONTEXTS[domain]
    assert all(form(parse(s.text).body) == form([s.node]) for s in statements(code.text))
    for reduction in reductions(code, context)[::5]:
        smaller = reduced(code, reduction, context)
        if smaller:
            parse(corrected(smaller.text, code.text, context))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (" + ".join(["1"] * 330), "nested at most 100 deep"),
        ("0x" + "f" * 4000, "integers up to 1e308"),
        ("9" * 4400, "does not parse"),
        ("(" * 250 + "1" + ")" * 250, "does not parse"),
        ("'\0'", "does not parse"),
    ],
)
def test_what_cannot_be_walked_is_refused_with_the_reason(expression, reason):
    with pytest.raises(ProgramError, match=reason):
        parse(f"x = {expression}\n")
