"""TOML that the standard library reads back."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.config import to_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
TABLES = st.dictionaries(TEXT, VALUES, max_size=5)


@given(TABLES)
def test_reads_back(values):
    assert tomllib.loads(to_toml(values)) == values


@given(st.dictionaries(TEXT, st.none() | VALUES, max_size=5), st.dictionaries(TEXT, TEXT, max_size=5))
def test_comments_change_nothing(values, notes):
    wanted = {key: value for key, value in values.items() if value is not None}
    assert tomllib.loads(to_toml(values, notes | dict.fromkeys(values, "one\ntwo"))) == wanted


def test_looks_as_a_person_writes_it():
    values = {"seed": 1, "time_s": None, "games": ["a", "b(c=1)"], "llm": {"prices": {"m:x": {"input": 0.5}}}}
    notes = {"seed": "Of everything\nrandom.", "time_s": "Seconds.", "llm": "Models.", "llm.prices": "Each."}
    assert to_toml(values, notes) == (
        "# Of everything random.\nseed = 1\n# Seconds.\n# time_s =\n"
        'games = ["a", "b(c=1)"]\n\n'
        '# Models.\n[llm]\n# Each.\nprices = { "m:x" = { input = 0.5 } }\n'
    )


def test_what_toml_has_not():
    with pytest.raises(TypeError, match="expected a plain value; got set"):
        to_toml({"x": {1}} | {"y": {"z": {1, 2}}})
