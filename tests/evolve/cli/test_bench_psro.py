"""`evolve bench psro`, with next to no work: what it measures and how it says it. No time is asserted."""

import json

import pytest

from benchmarks import psro as bench
from benchmarks.timing import Measurement, Spread
from evolve.cli.bench_psro import print_psro


def ordered(values):
    return len(values) == 3 and values == sorted(values) and values[0] > 0


@pytest.fixture(scope="module")
def found(invoke):
    result = invoke("bench", "psro", "--game", "kuhn2", "--iterations", 2, "--repeats", 2, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_both_sides_in_one_run(found):
    assert found["schema_version"] == 1
    assert {"cpu", "core", "cores", "load", "python"} <= set(found["machine"])
    whole = found["whole"]
    assert (whole["game"], whole["iterations"], whole["skipped"]) == ("kuhn2", 2, None)
    assert whole["isolation"] != "none"
    assert set(whole["measured"]) == {"in-process", "sandboxed", "OpenSpiel psro_v2"}
    for side in whole["measured"].values():
        assert ordered(side["seconds"])
        assert side["repeats"] == 2
    assert [s["side"] for s in whole["speedups"]] == ["in-process", "sandboxed"]
    assert all(ordered(s["times"]) and s["target"] is None for s in whole["speedups"])
    assert found["costly"] is None


def whole(game="leduc2", **measured):
    sides = {"in_process": bench.IN_PROCESS, "sandboxed": bench.SANDBOXED, "theirs": bench.OPENSPIEL}
    found = {sides[k]: Measurement(seconds, 1) for k, seconds in measured.items()}
    return bench.Whole(game, 20, "kernel", found, "" if "theirs" in measured else "not installed: cvxpy")


def test_ratios_are_taken_within_a_repeat():
    found = whole(in_process=(0.1, 0.2, 9.0), sandboxed=(0.2, 0.2, 9.0), theirs=(20.0, 30.0))
    assert found.speedup(bench.IN_PROCESS) == Spread(150.0, 175.0, 200.0)
    assert found.speedup(bench.SANDBOXED) == Spread(100.0, 125.0, 150.0)
    assert (found.target, whole("kuhn2", in_process=(1.0,)).target) == (100.0, None)


def test_psro_v2_without_its_imports_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(bench, "NEEDS", ("numpy", "no_such_library", "nor_this"))
    assert bench.missing() == ("no_such_library", "nor_this")
    report = bench.measure("kuhn2", iterations=1, repeats=1, progress=lambda what: None)
    assert report.whole.skipped.endswith("pip install no_such_library nor_this")
    assert report.whole.speedup(bench.SANDBOXED) is None
    assert bench.to_json(report)["whole"]["speedups"] == []
    print_psro(report)
    assert "pip install no_such_library nor_this" in capsys.readouterr().out


def test_what_openspiel_installs_is_not_asked_for():
    from importlib.metadata import requires

    given = [line for line in requires("open_spiel") or () if "extra" not in line]
    assert not [line for line in given if line.startswith(bench.NEEDS)]
    assert bench.missing() == ()


def test_a_costly_program_is_added_up(monkeypatch, capsys):
    monkeypatch.setattr(bench, "COSTLY", "uniform")
    progress = []
    report = bench.measure(
        "kuhn2", iterations=1, repeats=1, costly_games=("kuhn2", "kuhn3"), costly_iterations=2,
        progress=progress.append,
    )  # fmt: skip
    assert progress == ["1 iterations on kuhn2", "uniform on kuhn2", "uniform on kuhn3"]
    assert report.costly.total_cpu_s == sum(report.costly.cpu_s.values()) > 0.0
    assert bench.to_json(report)["costly"]["target_cpu_s"] == 180.0
    print_psro(report)
    printed = capsys.readouterr().out
    assert "≤ 180" in printed
    assert "together" in printed


def test_table_for_people(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    sides = whole(in_process=(0.1,), sandboxed=(0.2,), theirs=(20.0,))
    machine = {"cpu": "a processor", "core": 0, "cores": 2, "load": [1.0, 1.0, 1.0]}
    print_psro(bench.Report(machine, "2.0", sides, None))
    printed = capsys.readouterr().out
    for text in (
        "OpenSpiel psro_v2",
        "in-process",
        "sandboxed (kernel)",
        "≥ 100",
        "20 PSRO iterations on leduc2",
    ):
        assert text in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_an_unknown_game_is_one_line(invoke):
    result = invoke("bench", "psro", "--game", "kuhm2")
    assert result.exit_code == 2
    assert "Did you mean 'kuhn2'?" in result.stderr
