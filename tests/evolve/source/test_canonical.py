"""When two sources count as one program."""

import ast

import pytest

from evaluators.source import parse
from evolve.source.canonical import canonical_hash, statements

BASE = "def f(s, x):\n    y = x + 1\n    z = y * 2\n    return z - y\n"


@pytest.mark.parametrize(
    "same",
    [
        '"""Doc."""\n' + BASE,
        BASE.replace("    y = ", '    """Doc."""\n    # why\n    y  =  '),
        BASE.replace("y", "first").replace("z", "second"),
        BASE.replace("return z - y", "out = z - y\n    return out"),
        BASE.replace("x + 1", "(x + 1)"),
    ],
)
def test_writing_does_not_count(same):
    assert canonical_hash(same) == canonical_hash(BASE)


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("1", "1.5"),
        BASE.replace("z - y", "y - z"),
        BASE.replace("x + 1", "x - 1"),
        BASE.replace("def f(s, x)", "def f(x, s)"),
        BASE.replace("def f", "def g"),
    ],
)
def test_meaning_counts(other):
    assert canonical_hash(other) != canonical_hash(BASE)


def test_an_alias_of_an_arguments_attribute_does_not_count():
    plain = "def f(s):\n    return s.r + s.r\n"
    assert canonical_hash("def f(s):\n    r = s.r\n    return r + r\n") == canonical_hash(plain)


@pytest.mark.parametrize(
    "body",
    [
        "    r = s.r\n    r = r * 2\n    return r + r\n",
        "    r = s.r\n    s.r = 0\n    return r + r\n",
        "    global r\n    r = s.r\n    return r + r\n",
        "    s = s.t\n    r = s.r\n    return r + r\n",
    ],
)
def test_an_alias_that_could_differ_counts(body):
    assert canonical_hash("def f(s):\n" + body) != canonical_hash("def f(s):\n    return s.r + s.r\n")


@pytest.mark.parametrize("end", ["x = 1\ny = 2\n", "x = 1; y = 2\n"])
def test_the_tree_that_others_read_stays_as_it_is(end):
    source = 'def f(s):\n    """Doc."""\n    r = s.r\n    return r\n' + end
    before = ast.dump(parse(source))
    canonical_hash(source)
    assert ast.dump(parse(source)) == before


def test_statements_that_share_a_line_are_those_that_do_not():
    assert canonical_hash(BASE + "x = 1; y = 2\n") == canonical_hash(BASE + "x = 1\ny = 2\n")


@pytest.mark.parametrize(
    "source",
    [
        '"""Doc."""\n\nimport math\n\n\n' + BASE + "\n\n@property\ndef g(x):\n    return math.pi\n",
        '"""Doc."""; x = 1\n@str\nclass A: pass\n',
        BASE.replace("\n", "\r\n") + "x = 1\r\n",
        "",
    ],
)
def test_the_text_of_a_statement_makes_its_tree(source):
    body = parse(source).body
    assert [s.node for s in statements(source)] == body
    assert [ast.dump(ast.parse(s.text)) for s in statements(source)] == [
        ast.dump(ast.Module([node], [])) for node in body
    ]


def test_a_known_hash_does_not_change():
    assert canonical_hash("x = 1\n") == "390bc1c684c16641777162d7f9ba42f7dbb99eb7b66a470a27bc1f2992fc47bc"
