"""`python -m benchmarks cfr`, with next to no work: what it measures and how it says it. No time is asserted."""

import json

import pytest

from benchmarks import cfr as bench
from benchmarks import floors
from benchmarks.engines import EXPLOITABILITY, ITERATION, OURS, TRAVERSAL, Engine, engines
from benchmarks.timing import Measurement, Spread, interleave, ratio, short, spread
from evolve.cli.output import SCHEMA_VERSION

QUICK = ("--games", "kuhn2", "--repeats", 2, "--slice-ms", 0, "--iterations", 2)


@pytest.fixture(scope="module")
def run(invoke):
    """One run: (what --json printed, the report behind it)."""
    reports = []
    measure = bench.measure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "measure", lambda *a, **k: reports.append(measure(*a, **k)) or reports[-1])
        result = invoke("cfr", *QUICK, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), reports[0]


@pytest.fixture(scope="module")
def found(run):
    return run[0]


def ordered(values):
    return len(values) == 3 and values == sorted(values) and values[0] > 0


def test_top_level(found):
    assert found["schema_version"] == SCHEMA_VERSION
    assert {e["name"] for e in found["engines"]} == {"evolve", "OpenSpiel C++", "OpenSpiel Python", "LiteEFG"}
    assert {"cpu", "core", "cores", "load", "python"} <= set(found["machine"])


def test_every_engine_is_measured_or_says_why_not(found):
    (game,) = found["games"]
    assert (game["game"], game["terminals"], game["sequences"]) == ("kuhn2", 30, [13, 13])
    measured = {(row["engine"], row["measure"]): row for row in game["measured"]}
    skipped = {(row["engine"], row["measure"]): row["reason"] for row in game["skipped"]}
    wanted = {(e["name"], m) for e in found["engines"] for m in (ITERATION, EXPLOITABILITY)}
    assert set(measured) | set(skipped) == wanted | {(OURS, TRAVERSAL)}
    assert not set(measured) & set(skipped)
    for row in measured.values():
        assert ordered(row["ms"])
        assert row["units"] >= 1
        assert row["repeats"] == 2
    assert all(skipped.values())


def test_speedups_are_against_every_measured_engine(found):
    (game,) = found["games"]
    others = {row["engine"] for row in game["measured"]} - {OURS}
    pairs = {(s["engine"], s["theirs"], s["ours"]) for s in game["speedups"]}
    assert pairs == {(e, *pair) for e in others for pair in bench.PAIRS}
    assert {(s["engine"], s["theirs"], s["ours"]) for s in found["together"]} == pairs
    assert all(ordered(s["times"]) for s in game["speedups"])


def test_a_whole_candidate(found):
    whole = found["candidate"]
    assert (whole["games"], whole["iterations"]) == (["kuhn2"], 2)
    assert set(whole["seconds"]) == {"in-process", "sandboxed", "OpenSpiel Python"}
    assert all(ordered(seconds) for seconds in whole["seconds"].values())
    assert [s["side"] for s in whole["speedups"]] == ["in-process", "sandboxed"]
    assert whole["openspiel_iterations_measured"] == 1


def test_memory_and_openings(found):
    (worker,) = found["workers"]
    assert worker["games"] == ["kuhn2"]
    assert 0 < worker["anonymous_mib"] < worker["rss_mib"]
    (opening,) = found["openings"]
    assert opening["game"] == "kuhn2"
    assert ordered(opening["ms"])


def test_floor(found):
    floor = found["games"][0]["floor"]
    assert floor["ms"] == pytest.approx(floor["memory_ms"] + floor["calls_ms"])
    assert floor["memory_ms"] == pytest.approx(floor["bytes"] / floor["gb_per_s"] / 1e6)


def test_bytes_touched_by_hand():
    """Kuhn poker with 2 players: 30 terminals, none in lanes, 6 infosets of 2 actions, 13 sequences each."""
    from evaluators.games.loading import load_tree

    game = load_tree("kuhn2")
    assert game.form.lanes.num_terminals == 0
    lanes = 4 * (game.form.lanes.cells.size + game.form.lanes.rows.size + game.form.lanes.header.size)
    terminals = 30 * (8 + 2 * 4)
    plans, sums = 13 * 8, 2 * 13 * 8
    sweep, realize = 6 * 8 + 2 * 12 * 8, 6 * 8 + 6 * 8 + 12 * 8 + 13 * 8
    assert floors.bytes_touched(game) == 2 * (terminals + lanes + plans + sums + sweep + realize)


def test_an_engine_that_is_missing_or_too_slow_is_skipped_with_the_reason():
    from evaluators.games.loading import load_tree

    def never(game):
        raise AssertionError

    game, ours = load_tree("kuhn2"), engines()[0]
    missing = Engine("missing", None, False, never, lambda game: {})
    slow = Engine(
        "slow", "1", True, never, lambda game: dict.fromkeys((ITERATION, EXPLOITABILITY), "too large")
    )
    found = bench._game(game, (ours, missing, slow), 1e-6, repeats=1, slice_s=0.0)
    assert found.skipped == {
        ("missing", ITERATION): "not installed",
        ("missing", EXPLOITABILITY): "not installed",
        ("slow", ITERATION): "too large",
        ("slow", EXPLOITABILITY): "too large",
    }
    assert {e for e, _ in found.measured} == {OURS}
    assert found.speedups() == []


def test_openspiel_leaves_out_what_takes_it_minutes():
    class Large:
        class form:
            num_terminals = 1_043_952

    left_out = {engine.name: set(engine.skips(Large)) for engine in engines()}
    assert left_out == {
        "evolve": set(),
        "OpenSpiel C++": {EXPLOITABILITY},
        "OpenSpiel Python": {ITERATION, EXPLOITABILITY},
        "LiteEFG": set(),
    }


def test_works_take_turns_and_slow_ones_make_do_with_a_few():
    calls = []
    works = {name: lambda units, name=name: calls.append((name, units)) for name in ("fast", "slow")}
    found = interleave(works, repeats=4, slice_s=0.0, few=["slow"], most=2)
    assert [name for name, _ in calls] == ["fast", "slow"] + ["fast", "slow"] * 2 + ["fast"] * 2
    assert {name: len(m.seconds) for name, m in found.items()} == {"fast": 4, "slow": 2}
    assert {units for _, units in calls} == {1}


def test_ratios_are_taken_within_a_repeat():
    theirs, ours = Measurement((8.0, 30.0), 1), Measurement((2.0, 3.0, 1.0), 1)
    assert ratio(theirs, ours) == Spread(4.0, 7.0, 10.0)
    assert spread([3, 1, 2]) == (1, 2, 3)


def test_tables_for_people(run, capsys):
    run[1].show()
    printed = capsys.readouterr().out
    for text in (
        "evolve, traversal",
        "OpenSpiel C++",
        "OpenSpiel Python",
        "LiteEFG",
        "in-process",
        "floor ms",
    ):
        assert text in printed
    assert max(map(len, printed.splitlines())) <= 100


@pytest.mark.parametrize(
    ("value", "shown"), [(1234.5, "1,234"), (12.345, "12.3"), (0.01234, "0.0123"), (1.234e-5, "1.23e-05")]
)
def test_short_numbers(value, shown):
    assert short(value) == shown
