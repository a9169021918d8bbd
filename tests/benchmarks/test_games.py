"""`python -m benchmarks games`: the table of the literature, and runs that go on where one was stopped."""

import json
import math

import pytest

import evolve
from benchmarks import games as bench
from benchmarks.games import Cell, Report, Run
from evaluators.games.suites import SUITES_VERSION

FEW = 4


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch):
    monkeypatch.setattr(bench, "ITERATIONS", FEW)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.json"


@pytest.fixture
def run(invoke, path):
    def _run(*more, code=0):
        result = invoke("games", "--games", "kuhn2,leduc2", "--results", path, *more)
        assert result.exit_code == code, result.stderr
        return result

    return _run


def report(**values):
    runs = {
        Run("dcfr", task).key: v for task, v in zip(bench._tasks("kuhn2", 2), values.values(), strict=True)
    }
    return Report(("dcfr",), ("kuhn2",), 2, runs)


def test_the_numbers_are_those_of_evaluate(run):
    found = json.loads(run("--programs", "dcfr,cfr_plus", "--seeds", 2, "--json").stdout)
    assert found["suites_version"] == SUITES_VERSION
    assert found["failures"] == {}
    assert len(found["cells"]) == 4
    cell = next(c for c in found["cells"] if (c["program"], c["game"]) == ("cfr_plus", "leduc2"))
    assert (cell["family"], cell["iterations"]) == ("leduc", FEW)
    exact, *generic = (
        evolve.evaluate("cfr_plus", tasks=["leduc2"], tiers=tiers, budget=FEW).results
        for tiers in (["exact"], ["generic"])
    )
    assert cell["exact"] == exact[0].value
    logs = [math.log10(result.value) for result in generic[0][:2]]
    assert math.log10(cell["generic"]) == pytest.approx(sum(logs) / 2)
    assert cell["stderr"] == pytest.approx(abs(logs[0] - logs[1]) / 2)


def test_markdown_has_a_table_for_each_family_and_the_best_in_bold(run):
    lines = run("--programs", "dcfr,cfr", "--seeds", 1).stdout.splitlines()
    assert [line for line in lines if line.startswith("###")] == ["### kuhn", "### leduc"]
    assert f"| program | `kuhn2`, K = {FEW} |" in lines
    assert sum("**" in line for line in lines) == 2


def test_what_is_there_is_not_run_again(run, path, monkeypatch):
    run("--programs", "dcfr", "--seeds", 1)
    before = json.loads(path.read_text())["values"]
    assert len(before) == 4
    wanted = []
    evaluated = bench._evaluated
    monkeypatch.setattr(
        bench, "_evaluated", lambda runs, *rest: wanted.extend(runs) or evaluated(runs, *rest)
    )
    run("--programs", "dcfr,cfr", "--seeds", 1)
    assert {one.program for one in wanted} == {"cfr"}
    assert json.loads(path.read_text())["values"].items() > before.items()


def test_cells():
    assert report(exact=0.5, a=0.1, b=0.001).cell("dcfr", "kuhn2") == Cell(
        0.5, pytest.approx(0.01), pytest.approx(1.0)
    )
    assert report(exact=0.5, a=0.1, b="a fault").cell("dcfr", "kuhn2") == Cell(0.5, None, None)
    assert report(exact="a fault", a=0.1, b=-4e-16).cell("dcfr", "kuhn2").exact is None


def test_large_games_run_for_fewer_iterations():
    assert bench.iterations("leduc2_big") == 300
    assert bench.iterations("leduc3") == FEW


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"versions": {}, "values": {}}'])
def test_other_files_are_refused(run, path, text):
    path.write_text(text)
    assert "evolve: results: expected" in run("--programs", "dcfr", code=2).stderr
    assert path.read_text() == text


def test_an_unknown_program_is_refused(run):
    assert "Did you mean 'dcfr'?" in run("--programs", "dcf", code=2).stderr
