"""Records as pandas frames."""

import sys
from dataclasses import dataclass

import pytest

import evolve
from evolve.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    family: str


@dataclass(frozen=True)
class Outer:
    inner: Inner
    scores: dict
    curve: tuple


def test_what_is_within_a_record_becomes_columns():
    pytest.importorskip("pandas", reason="frames need pandas")
    rows = [Outer(Inner("a"), {"x/a": 1.0}, ((1, 2.0),)), Outer(Inner("b"), {"y": 2.0}, ())]
    frame = evolve.frame(rows)
    assert list(frame.columns) == ["inner.family", "scores.x/a", "curve", "scores.y"]
    assert frame["inner.family"].tolist() == ["a", "b"]
    assert frame["curve"][0] == ((1, 2.0),)
    assert frame["scores.y"].isna().tolist() == [True, False]
    assert evolve.frame([]).empty


def test_an_evaluation_as_a_frame():
    pytest.importorskip("pandas", reason="frames need pandas")
    found = evolve.evaluate("cfr", tasks=["kuhn2", "kuhn3"], budget=2, in_process=True)
    frame = evolve.frame(found.results).set_index("task.name")
    assert frame.loc["kuhn3", "curve"][-1][1] == frame.loc["kuhn3", "value"] == found.results[1].value
    assert frame["cost.wall_s"].min() > 0


def test_without_pandas_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="expected the package pandas") as caught:
        evolve.frame([])
    assert caught.value.hint == "Run: pip install 'evolve-marl[pandas]'"


def test_what_is_no_record():
    pytest.importorskip("pandas", reason="frames need pandas")
    with pytest.raises(TypeError, match="expected dataclasses or named tuples; got int"):
        evolve.frame([1])
