"""`evolve baselines`: figures, intervals and ties. Two cheap games, a few iterations."""

import io
import json

import pytest
from rich.console import Console

import seeds
from evolve.cli.baselines import TIES_ACROSS
from evolve.cli.tables import Entry, by_objective
from evolve.cli.tables import with_ties as with_ties_table
from evolve.promotion.ties import Span

QUICK = ("--games", "kuhn2,goofspiel3", "--iterations", 3, "--workers", 1)


@pytest.fixture(scope="module")
def figure(tmp_path_factory):
    return tmp_path_factory.mktemp("figure") / "all.svg"


@pytest.fixture(scope="module")
def with_ties(invoke, figure):
    result = invoke("baselines", *QUICK, "--ties", "--figure", figure, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_every_value_lies_in_its_interval(with_ties):
    assert [row["program"]["name"] for row in with_ties["baselines"]] == list(seeds.names("cfr"))
    for row in with_ties["baselines"]:
        assert set(row["jitter"]) == {"kuhn2", "goofspiel3"}
        for game in row["games"]:
            low, high = row["jitter"][game["name"]]
            assert low <= max(game["exploitability"], 1e-16) <= high


def test_the_winner_is_the_smallest_and_ties_with_nobody_twice(with_ties):
    for game in ("goofspiel3", "kuhn2"):
        standing = with_ties["ties"][game]
        values = {
            row["program"]["name"]: result["exploitability"]
            for row in with_ties["baselines"]
            for result in row["games"]
            if result["name"] == game
        }
        assert values[standing["winner"]] == min(values.values())
        assert standing["winner"] not in standing["tied"]
        assert set(standing["tied"]) <= set(values)


def test_jitter_stays_out_of_the_score(with_ties):
    for row in with_ties["baselines"]:
        assert row["objectives"]["decades"] == row["objectives"]["decades_exact"]
        assert not any("jitter" in name for name in row["objectives"])


def test_the_figure_has_every_game_and_program(with_ties, figure):
    text = figure.read_text()
    for name in ("kuhn2", "goofspiel3", *seeds.names("cfr")):
        assert f"<!-- {name} -->" in text


def test_the_table_fits_100_columns():
    spans = [Span(1e-3, 1e-3, 1e-3, 1e-9), Span(2e-3, 1e-3, 5e-3, 1e-9), Span(0.5, 0.4, 0.6, 1e-9)]
    games = ["kuhn2", "liars_dice5", "battleship22_3"][:TIES_ACROSS]
    entries = [
        Entry(name, 1.0, {}, spans=dict.fromkeys(games, span))
        for name, span in zip(["cfr", "aod_cfr_nofloor", "cfr_plus"], spans, strict=True)
    ]
    console = Console(width=100, file=io.StringIO())
    console.print(with_ties_table(entries, games, objective="decades"))
    printed = console.file.getvalue()
    cells = ["★ 1.00e-03 ±0%", "= 2.00e-03 1e-03…5e-03", "  5.00e-01 ±20%"]
    for entry, cell in zip(entries, cells, strict=True):
        (line,) = [line for line in printed.splitlines() if line.startswith(f" {entry.name} ")]
        assert line.count(cell) == len(games)
    assert all(f"{game} ↓" in printed for game in games)


def test_without_exact_payoffs_the_table_shows_decades_per_game():
    rows = [("cfr", {"decades": 1.0, "decades/kuhn2": 1.5}), ("failed", {})]
    console = Console(width=100, file=io.StringIO())
    console.print(by_objective(rows, ["decades", "decades/kuhn2"]))
    printed = console.file.getvalue().splitlines()
    assert printed[1].split() == ["program", "decades", "↑", "kuhn2", "↑"]
    assert [line.split() for line in printed[3:5]] == [["cfr", "1.000", "1.500"], ["failed", "-", "-"]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--figure", "all.txt"], "expected a file ending in .png, .svg or .pdf"),
        (["--figure", "none/all.svg"], "in a folder that exists"),
        (["--ties", "--tier", "generic"], "--ties: expected the tier exact"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_runs(invoke, options, said):
    result = invoke("baselines", *QUICK, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
