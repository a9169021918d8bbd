"""Answers of models, applied: a corpus of what they really say, and properties of what is applied."""

import difflib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolve.operators.patch import MAX_CHARS, Block, PatchError, apply, check_scope, parse_answer, patch

CORPUS = Path(__file__).with_name("answers")
EXPECTED = tomllib.loads((CORPUS / "expected.toml").read_text(encoding="utf-8"))


def test_every_answer_has_an_expectation():
    assert {path.stem for path in CORPUS.glob("*.txt")} == EXPECTED.keys()
    assert len(EXPECTED) >= 40


@pytest.mark.parametrize("name", EXPECTED)
def test_corpus(name, context, seed_sources):
    expected = EXPECTED[name]
    answer = (CORPUS / f"{name}.txt").read_bytes().decode()
    if expected["outcome"] == "refused":
        with pytest.raises(PatchError) as caught:
            patch(seed_sources["cfr_plus"], answer, context.components)
        for part in expected["says"]:
            assert part in f"{caught.value.message} {caught.value.hint}"
        return
    child = patch(seed_sources["cfr_plus"], answer, context.components)
    change = parse_answer(answer, [c.name for c in context.components])
    assert isinstance(change, str) == (expected["form"] == "rewrite")
    assert all(part in child for part in expected["has"])
    assert not any(part in child for part in expected["lacks"])
    compile(child, name, "exec")


def test_a_program_that_grew_too_long_is_refused(context, seed_sources):
    lines = "".join(f"        x{n} = {n}\n" for n in range(MAX_CHARS // 10))
    old, new = "        weight = iteration_number + 1", f"{lines}        weight = 1"
    answer = f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE"
    with pytest.raises(PatchError, match="at most 60000 characters"):
        patch(seed_sources["cfr_plus"], answer, context.components)


def test_a_program_that_is_too_deep_to_be_looked_through_is_refused(context, seed_sources):
    deep = f"STEP = {' + '.join('1' * 2000)}\n"
    answer = f"<<<<<<< SEARCH\nimport numpy as np\n=======\nimport numpy as np\n{deep}>>>>>>> REPLACE"
    with pytest.raises(PatchError, match="nested at most 100 deep"):
        patch(seed_sources["cfr_plus"], answer, context.components)


def test_every_seed_is_in_scope_of_every_other(context, seed_sources):
    for parent in seed_sources.values():
        for child in seed_sources.values():
            check_scope(parent, child, context.components)


def blocks_between(before, after):
    """Blocks that make `after` of `before`: each change with as much around it as makes it unique."""
    old, new = before.split("\n"), after.split("\n")
    opcodes = [
        o for o in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if o[0] != "equal"
    ]
    if not opcodes:
        return []
    # One block from the first change to the last is unique once it reaches far enough to both sides.
    first, last = opcodes[0], opcodes[-1]
    above = below = 0
    while True:
        start, end = max(0, first[1] - above), min(len(old), last[2] + below)
        search = tuple(old[start:end])
        same = sum(tuple(old[n : n + len(search)]) == search for n in range(len(old) - len(search) + 1))
        if (any(line.strip() for line in search) and same == 1) or (start == 0 and end == len(old)):
            new_start, new_end = first[3] - (first[1] - start), last[4] + (end - last[2])
            return [Block(search, tuple(new[new_start:new_end]))]
        above, below = above + 1, below + 1


def rendered(blocks):
    parts = [["<<<<<<< SEARCH", *b.search, "=======", *b.replace, ">>>>>>> REPLACE"] for b in blocks]
    return "\n".join(line for part in parts for line in part)


ONE_OF = st.sampled_from(["a = 1", "    b = 2", "c = 3", "", "def f(x):", "    return x"])
LINES = st.lists(ONE_OF, min_size=1, max_size=12)


@given(LINES, LINES)
@settings(max_examples=200, deadline=None)
def test_apply_and_diff_round_trip(old, new):
    before, after = "\n".join(["top = 0", *old]), "\n".join(["top = 0", *new])
    blocks = blocks_between(before.rstrip("\n"), after.rstrip("\n"))
    assert parse_answer(rendered(blocks), []) == tuple(blocks) if blocks else True
    assert apply(before, blocks) == after.rstrip("\n") + "\n"


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_any_seed_becomes_any_other_by_its_diff(data, seed_sources, context):
    names = sorted(seed_sources)
    before, after = (seed_sources[data.draw(st.sampled_from(names))] for _ in range(2))
    blocks = blocks_between(before.strip("\n"), after.strip("\n"))
    if before != after:
        assert patch(before, rendered(blocks), context.components) == after


@given(LINES, st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_a_block_that_fails_leaves_nothing(old, position):
    before = "\n".join(["top = 0", *old])
    good = Block(("top = 0",), ("top = 1",))
    with pytest.raises(PatchError):
        apply(before, [good, Block(("not there at all",), ("x",))])
    with pytest.raises(PatchError, match="does not occur"):
        apply(before, [good, good])


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_text_is_parsed_or_refused(text):
    try:
        parse_answer(text, ["RegretAccumulator"])
    except PatchError as error:
        assert error.message
