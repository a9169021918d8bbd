"""`python -m benchmarks psro`, with next to no work: what it measures and how it says it. No time is asserted."""

import json

import pytest

from benchmarks import psro as bench
from benchmarks.timing import Measurement, Spread
from benchmarks.whole import IN_PROCESS, SANDBOXED, Whole
from evolve.cli.output import SCHEMA_VERSION

pytestmark = pytest.mark.slow


def ordered(values):
    return len(values) == 3 and values == sorted(values) and values[0] > 0


@pytest.fixture(scope="module")
def found(invoke):
    result = invoke("psro", "--game", "kuhn2", "--iterations", 2, "--repeats", 2, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_both_sides_in_one_run(found):
    assert found["schema_version"] == SCHEMA_VERSION
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


def whole(**measured):
    sides = {"in_process": IN_PROCESS, "sandboxed": SANDBOXED, "theirs": bench.OPENSPIEL}
    measurements = {sides[k]: Measurement(seconds, 1) for k, seconds in measured.items()}
    return Whole(("leduc2",), 20, "kernel", bench.OPENSPIEL, measurements, {SANDBOXED: 100.0})


def test_ratios_are_taken_within_a_repeat():
    sides = whole(in_process=(0.1, 0.2, 9.0), sandboxed=(0.2, 0.2, 9.0), theirs=(20.0, 30.0))
    assert sides.speedup(IN_PROCESS) == Spread(150.0, 175.0, 200.0)
    assert sides.speedup(SANDBOXED) == Spread(100.0, 125.0, 150.0)
    assert sides.speedup(bench.OPENSPIEL) is None
    assert [(s["side"], s["target"]) for s in sides.to_json()["speedups"]] == [
        (IN_PROCESS, None),
        (SANDBOXED, 100.0),
    ]


def test_psro_v2_without_its_imports_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(bench, "NEEDS", ("numpy", "no_such_library", "nor_this"))
    assert bench.missing() == ("no_such_library", "nor_this")
    report = bench.measure("kuhn2", iterations=1, repeats=1, progress=lambda what: None)
    assert report.skipped.endswith("pip install no_such_library nor_this")
    assert report.whole.speedup(SANDBOXED) is None
    assert report.to_json()["whole"]["speedups"] == []
    report.show()
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
    assert report.to_json()["costly"]["target_cpu_s"] == 180.0
    report.show()
    printed = capsys.readouterr().out
    assert "≤ 180" in printed
    assert "together" in printed


def test_table_for_people(capsys):
    sides = whole(in_process=(0.1,), sandboxed=(0.2,), theirs=(20.0,))
    machine = {"cpu": "a processor", "core": 0, "cores": 2, "load": [1.0, 1.0, 1.0]}
    bench.Report(machine, "2.0", sides, "", None).show()
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
