"""`evolve baselines`: games that are refused, figures, intervals and ties. Two cheap games, a few iterations."""

import io
import json

import pytest
from evolve.comparison.ties import Span
from rich.console import Console

import seeds
from evaluators.records import Evaluation, Outcome, Tag
from evaluators.registry import get_domain
from evolve.cli import baselines
from evolve.cli.tables import Entry, by_program, by_score, print_across
from evolve.cli.tables import with_ties as with_ties_table
from evolve.comparison.tables import joined

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


def printed_across(width, games, table, *, terminal=True):
    console = Console(width=width, file=io.StringIO(), force_terminal=terminal, color_system=None)
    print_across(console, games, table)
    return console.file.getvalue().splitlines()


def test_intervals_and_ties_of_three_games_fit_100_columns():
    spans = [Span(1e-3, 1e-3, 1e-3, 1e-9), Span(2e-3, 1e-3, 5e-3, 1e-9), Span(0.5, 0.4, 0.6, 1e-9)]
    games = ["kuhn2", "liars_dice5", "battleship22_3"]
    entries = [
        Entry(name, 1.0, {}, spans=dict.fromkeys(games, span))
        for name, span in zip(["cfr", "aod_cfr_nofloor", "cfr_plus"], spans, strict=True)
    ]
    printed = printed_across(100, games, lambda some: with_ties_table(entries, some, objective="decades"))
    cells = ["★ 1.00e-03 ±0%", "= 2.00e-03 1e-03…5e-03", "  5.00e-01 ±20%"]
    for entry, cell in zip(entries, cells, strict=True):
        (line,) = [line for line in printed if line.startswith(f" {entry.name} ")]
        assert line.count(cell) == len(games)
    assert all(f"{game} ↓" in printed[1] for game in games)


class TestNarrowTerminals:
    GAMES = ("kuhn2", "kuhn4", "goofspiel3", "goofspiel5", "liars_dice4", "liars_dice6", "leduc3")

    def printed(self, width, **options):
        values = dict.fromkeys(self.GAMES, 1e-3)
        entries = [Entry("anytime_double_oracle", 1.0, values, program_ms=100.0), Entry("nash", None, {})]
        return printed_across(
            width, self.GAMES, lambda games: by_program(entries, games, objective="decades"), **options
        )

    @pytest.mark.parametrize(("width", "across"), [(80, [3, 2, 2]), (120, [4, 3]), (200, [7]), (60, [1] * 7)])
    def test_games_go_into_as_many_tables_as_it_takes(self, width, across):
        heads = [line.split() for line in self.printed(width) if "↓" in line]
        assert [head.count("↓") for head in heads] == across
        assert [word for head in heads for word in head if word in self.GAMES] == list(self.GAMES)

    @pytest.mark.parametrize("width", [80, 120])
    def test_nothing_is_cut(self, width):
        lines = self.printed(width)
        assert max(map(len, lines)) <= width
        assert sum(line.startswith(" anytime_double_oracle ") for line in lines) == sum(
            "↓" in x for x in lines
        )
        assert not any("…" in line for line in lines)

    def test_a_file_has_one_table(self):
        (head,) = [line for line in self.printed(80, terminal=False) if "↓" in line]
        assert all(game in head for game in self.GAMES)


def test_without_exact_payoffs_the_table_shows_decades_per_game():
    rows = [("cfr", {"decades": 1.0, "kuhn2": 1.5}), ("failed", {"kuhn2": 0.5})]
    console = Console(width=100, file=io.StringIO())
    console.print(by_score(rows, ["decades", "kuhn2"]))
    printed = console.file.getvalue().splitlines()
    assert printed[1].split() == ["program", "decades", "↑", "kuhn2", "↑"]
    assert [line.split() for line in printed[3:5]] == [["cfr", "1.000", "1.500"], ["failed", "-", "0.500"]]


REFUSED = "nash: expected a two-player zero-sum game; this one has 3 players"


@pytest.fixture(scope="module")
def psro(invoke):
    options = ("--domain", "psro", "--games", "kuhn2,kuhn3", "--iterations", 1, "--workers", 1, "--json")
    result = invoke("baselines", *options)
    assert result.exit_code == 0, result.stderr
    return {row["program"]["name"]: row for row in json.loads(result.stdout)["baselines"]}


class TestRefusedGames:
    def test_a_program_has_its_values_on_all_others(self, psro):
        assert list(psro) == list(seeds.names("psro"))
        for name, row in psro.items():
            games = ["kuhn2"] if name == "nash" else ["kuhn2", "kuhn3"]
            assert [game["name"] for game in row["games"]] == games

    def test_the_reason_is_told_as_the_program_gave_it(self, psro):
        (failed,) = psro["nash"]["failed"]
        assert (failed["game"], failed["outcome"]) == ("kuhn3", "exception")
        assert REFUSED in failed["message"]
        assert (psro["nash"]["outcome"], psro["nash"]["message"]) == ("exception", failed["message"])
        assert all(row["failed"] == [] for name, row in psro.items() if name != "nash")

    def test_a_score_takes_all_games(self, psro):
        assert psro["nash"]["objectives"] == {}
        objectives = psro["uniform"]["objectives"]
        per_game = [objectives["decades/kuhn2"], objectives["decades/kuhn3"]]
        assert objectives["decades"] == pytest.approx(sum(per_game) / 2)
        assert set(objectives) >= set(
            get_domain("psro").objectives(get_domain("psro").plan(["kuhn2", "kuhn3"]))
        )


class TestWhatIsSaid:
    """The command on results that are made up: `fates` says how one of the seeds ends on a game."""

    @pytest.fixture
    def run(self, invoke, monkeypatch):
        def run(fates, *options, seed="nash"):
            def play(domain, programs, plans, workers, *, quiet):
                return [
                    [result(domain, plan, fates if p.name == seed else {}) for p in programs]
                    for plan in plans
                ]

            def result(domain, plan, fates):
                parts = {i.game: part(i, fates.get(i.game)) for i in plan.instances}
                return joined(domain, plan, parts)

            monkeypatch.setattr(baselines, "_play", play)
            games = ("--games", "kuhn2,kuhn3,leduc2")
            return invoke("baselines", "--domain", "psro", *games, "--iterations", 1, *options)

        def part(instance, outcome):
            if outcome:
                return Evaluation(outcome, (), {}, "none", 0.0, 0.0)
            done = InstanceResult(instance, instance.game, ((1, 0.01),), 1.0, 0.0, 0.0, 0.0)
            return Evaluation(Outcome(Tag.OK), (done,), {"decades": 2.0}, "none", 0.0, 0.0)

        return run

    def refusals(self, *games):
        line = "(program.py, line 3: `raise ValueError(x)`)"
        return {g: Outcome(Tag.EXCEPTION, f"{g}: iteration 0, train: ValueError: no {line}") for g in games}

    def test_one_line_for_all_games_that_are_refused_alike(self, run):
        result = run(self.refusals("kuhn3", "leduc2"))
        assert (result.exit_code, result.stderr) == (0, "")
        lines = result.stdout.splitlines()
        assert lines[-2:] == [
            "-: not played. decades is a mean over all games; over fewer it would be no comparison.",
            "nash did not play kuhn3, leduc2: iteration 0, train: ValueError: no",
        ]
        (row,) = [line.split() for line in lines if line.startswith(" nash ")]
        assert row == ["nash", "-", "1.00e-02", "-", "-", "-"]

    def test_the_figure_keeps_the_order_of_games(self, run, here):
        run(self.refusals("kuhn2"), "--figure", here / "all.svg", seed=seeds.names("psro")[0])
        text = (here / "all.svg").read_text()
        places = [text.index(f"<!-- {game} -->") for game in ("kuhn2", "kuhn3", "leduc2")]
        assert places == sorted(places)

    def test_scores_of_perturbed_payoffs_too(self, run):
        result = run(self.refusals("kuhn3"), "--tier", "scale")
        (row,) = [line.split() for line in result.stdout.splitlines() if line.startswith(" nash ")]
        assert row == ["nash", "-", "2.000", "-", "2.000"]
        assert "nash did not play kuhn3: " in result.stdout

    @pytest.mark.parametrize("tag", sorted(set(Tag) - {Tag.OK, Tag.EXCEPTION, Tag.INVALID}))
    def test_what_is_no_refusal_is_an_error(self, run, tag):
        result = run(self.refusals("kuhn3") | {"leduc2": Outcome(tag, "leduc2: too long")})
        assert result.exit_code == 1
        assert f"evolve: nash did not play leduc2: it ended as {tag.value}: too long" in result.stderr
        assert "nash did not play kuhn3" in result.stdout

    def test_an_error_is_in_json_too(self, run):
        result = run({"leduc2": Outcome(Tag.MEMORY, "leduc2: too much")}, "--json")
        assert result.exit_code == 1
        (row,) = [row for row in json.loads(result.stdout)["baselines"] if row["program"]["name"] == "nash"]
        assert row["failed"] == [{"game": "leduc2", "outcome": "memory", "message": "leduc2: too much"}]
        assert row["outcome"] == "memory"


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
