"""`evolve baselines`: tasks that are refused, figures, chaos and ties. Two cheap games, a few iterations."""

import json
import math

import pytest

import seeds
from evaluators.records import Cost, Evaluation, Outcome, Score, Tag, TaskResult
from evaluators.registry import get_domain
from evolve.cli import baselines
from evolve.comparison import tables
from evolve.comparison.tables import joined
from results.text import marks

QUICK = ("--tasks", "kuhn2,goofspiel3", "--budget", 3, "--workers", 1)


@pytest.fixture(scope="module")
def figure(tmp_path_factory):
    return tmp_path_factory.mktemp("figure") / "all.svg"


@pytest.fixture(scope="module")
def with_ties(invoke, figure):
    result = invoke("baselines", *QUICK, "--ties", "--figure", figure, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["schema_version"] == 2
    return found


def test_every_value_has_its_chaos(with_ties):
    assert [row["program"]["name"] for row in with_ties["baselines"]] == list(seeds.names("cfr"))
    for row in with_ties["baselines"]:
        assert set(row["chaos"]) == {"kuhn2", "goofspiel3"}
        assert all(spread >= 0 for spread in row["chaos"].values())


def test_the_winner_is_the_smallest_and_ties_with_nobody_twice(with_ties):
    for game in ("goofspiel3", "kuhn2"):
        standing = with_ties["ties"][game]
        values = {
            row["program"]["name"]: task["value"]
            for row in with_ties["baselines"]
            for task in row["tasks"]
            if task["name"] == game
        }
        assert values[standing["winner"]] == min(values.values())
        assert standing["winner"] not in standing["tied"]
        assert set(standing["tied"]) <= set(values)


def test_jitter_stays_out_of_the_score(with_ties):
    for row in with_ties["baselines"]:
        assert row["scores"]["decades"]["mean"] == row["scores"]["decades_exact"]["mean"]
        assert not any("jitter" in name for name in row["scores"])


def test_the_figure_has_every_game_and_program(with_ties, figure):
    text = figure.read_text()
    for name in ("kuhn2", "goofspiel3", *seeds.names("cfr")):
        assert f"<!-- {name} -->" in text


TWO_PLAYERS = ("anytime_double_oracle", "nash")
"""Solvers that take no game of three."""
REFUSED = "nash: expected a two-player zero-sum game; this one has 3 players"


@pytest.fixture(scope="module")
def psro(invoke):
    options = ("--domain", "psro", "--tasks", "kuhn2,kuhn3", "--budget", 1, "--workers", 1, "--json")
    result = invoke("baselines", *options)
    assert result.exit_code == 0, result.stderr
    return {row["program"]["name"]: row for row in json.loads(result.stdout)["baselines"]}


class TestRefusedTasks:
    def test_a_program_has_its_values_on_all_others(self, psro):
        assert list(psro) == list(seeds.names("psro"))
        for name, row in psro.items():
            games = ["kuhn2"] if name in TWO_PLAYERS else ["kuhn2", "kuhn3"]
            assert [task["name"] for task in row["tasks"]] == games

    def test_the_reason_is_told_as_the_program_gave_it(self, psro):
        (failed,) = psro["nash"]["failed"]
        assert (failed["group"], failed["outcome"]["tag"]) == ("kuhn3", "exception")
        assert REFUSED in failed["outcome"]["message"]
        assert psro["nash"]["outcome"] == failed["outcome"]
        assert {name for name, row in psro.items() if row["failed"]} == set(TWO_PLAYERS)

    def test_a_score_takes_all_tasks(self, psro):
        assert psro["nash"]["scores"] == {}
        scores = psro["uniform"]["scores"]
        per_game = [scores["decades/kuhn2"]["mean"], scores["decades/kuhn3"]["mean"]]
        assert scores["decades"]["mean"] == pytest.approx(sum(per_game) / 2)
        assert set(scores) >= set(
            get_domain("psro").score_names(get_domain("psro").plan(["kuhn2", "kuhn3"], tiers=["exact"]))
        )


@pytest.mark.parametrize("domain", ["cfr", "psro"])
def test_marks_say_what_the_seeds_say(domain):
    told, ours = seeds.planned, seeds.reconstructions(domain)
    for name in seeds.names(domain):
        source = seeds.source(domain, name)
        assert marks(name, source) == "†" * told(source) + "‡" * (name in ours)
        assert marks("", source) == ""


class TestNotes:
    """The command on results that are made up: `fates` says how one of the seeds ends on a game."""

    @pytest.fixture
    def run(self, invoke, monkeypatch):
        def run(fates, *options, seed="nash"):
            def evaluate(domain, programs, plans, workers, *, quiet):
                return [
                    [
                        row(domain, plan, fates if p.name == seed else {}, 0.01 + k / 1000)
                        for k, p in enumerate(programs)
                    ]
                    for plan in plans
                ]

            def row(domain, plan, fates, value):
                parts = {group: part(plan, group, fates.get(group), value) for group in plan.groups}
                return joined(domain, plan, parts)

            monkeypatch.setattr(baselines, "_evaluate", evaluate)
            return invoke(
                "baselines", "--domain", "psro", "--tasks", "kuhn2,kuhn3,leduc2", "--budget", 1, *options
            )

        def part(plan, group, outcome, value):
            if outcome:
                return Evaluation(outcome)
            tasks = [task for task in plan.tasks if task.group == group]
            results = tuple(TaskResult(task, value, uniform=1.0) for task in tasks)
            return Evaluation(Outcome(Tag.OK), results, {"decades": Score(2.0)})

        return run

    def refusals(self, *games):
        line = "(program.py, line 3: `raise ValueError(x)`)"
        return {g: Outcome(Tag.EXCEPTION, f"{g}: iteration 0, train: ValueError: no {line}") for g in games}

    def test_one_line_for_all_games_that_are_refused_alike(self, run):
        result = run(self.refusals("kuhn3", "leduc2"))
        assert (result.exit_code, result.stderr) == (0, "")
        lines = [line for line in result.stdout.splitlines() if not line.startswith("Held-out")]
        assert lines[-2:] == [
            "-: not finished. advantage is a mean over all tasks, and none over fewer of them.",
            "nash did not finish kuhn3, leduc2: iteration 0, train: ValueError: no",
        ]
        table = [cells for line in lines if (cells := line.split()) and cells[0] in seeds.names("psro")][:-1]
        # What failed has no score and stands last, however low the scores of the others are.
        nash = f"{0.01 + seeds.names('psro').index('nash') / 1000:.2e}"
        assert [cell.lstrip("★=") for cell in table[-1]] == ["nash", "-", nash, "-", "-"]

    def test_the_figure_keeps_the_order_of_tasks(self, run, here):
        result = run(self.refusals("kuhn2"), "--figure", here / "all.svg", seed=seeds.names("psro")[0])
        assert result.exit_code == 0, result.exception
        text = (here / "all.svg").read_text()
        places = [text.index(f"<!-- {game} -->") for game in ("kuhn2", "kuhn3", "leduc2")]
        assert places == sorted(places)

    def test_a_tier_of_variants_has_a_column_for_each(self, run):
        result = run(self.refusals("kuhn3"), "--tier", "scale")
        (head,) = [line for line in result.stdout.splitlines() if "program" in line]
        assert "kuhn2/scale-0.1 ↓" in head
        assert "nash did not finish kuhn3: " in result.stdout

    def test_seeds_of_a_game_are_one_column(self, run):
        result = run({}, "--tier", "generic")
        (head,) = [line.split() for line in result.stdout.splitlines() if "program" in line]
        assert head == ["program", "advantage", "↑", "kuhn2", "↓", "kuhn3", "↓", "leduc2", "↓"]

    def test_reconstructions_are_marked(self, run):
        result = run({})
        assert "pm_psro‡" in result.stdout
        assert "‡ a reconstruction, shown and not counted." in result.stdout

    def test_at_equal_cpu_time_the_dearer_is_read_off_earlier(self, invoke, monkeypatch):
        """Every program has the same curve, one power of ten a power of ten; the k-th takes k + 1 times as long."""

        def evaluate(domain, programs, plans, workers, *, quiet):
            return [[row(domain, plan, 1.0 + k) for k, _ in enumerate(programs)] for plan in plans]

        def row(domain, plan, times):
            curve = tuple((k, 1.0 / k) for k in (1, 10, 100))
            cost = Cost(2.0 * times + 1.0, 0.0, 2.0 * times)
            results = tuple(
                TaskResult(task, 0.01, curve=curve, uniform=1.0, cost=cost, reference=curve)
                for task in plan.tasks
            )
            return tables.Row(Evaluation(Outcome(Tag.OK), results, domain.scores(results)), {})

        monkeypatch.setattr(baselines, "_evaluate", evaluate)
        options = ("--domain", "psro", "--tasks", "leduc2", "--tier", "exact", "--budget", 100, "--by", "cpu")
        result = invoke("baselines", *options, "--json")
        found = json.loads(result.stdout)
        names = seeds.names("psro")
        assert (found["by"], found["cpu_s"]) == ("cpu", {"leduc2": 3.0})
        values = {one["program"]["name"]: one["tasks"][0]["value"] for one in found["baselines"]}
        assert values == pytest.approx({name: 0.01 * (2 * k + 3) / 3 for k, name in enumerate(names)})
        scores = {one["program"]["name"]: one["scores"]["decades"]["mean"] for one in found["baselines"]}
        assert scores == pytest.approx({name: -math.log10(values[name]) for name in names})
        shown = invoke("baselines", *options).stdout
        assert "at equal CPU time: that of the cheapest program" in shown
        assert "Read off after 3 s (leduc2)." in shown

    @pytest.mark.parametrize("tag", [Tag.TIMEOUT, Tag.CRASH, Tag.ENGINE_ERROR])
    def test_what_is_no_refusal_is_an_error(self, run, tag):
        result = run(self.refusals("kuhn3") | {"leduc2": Outcome(tag, "leduc2: too long")})
        assert result.exit_code == 1
        assert f"evolve: nash did not finish leduc2: it ended as {tag.value}: too long" in result.stderr
        assert "nash did not finish kuhn3" in result.stdout

    def test_an_error_is_in_json_too(self, run):
        result = run({"leduc2": Outcome(Tag.MEMORY, "leduc2: too much")}, "--json")
        assert result.exit_code == 1
        (row,) = [row for row in json.loads(result.stdout)["baselines"] if row["program"]["name"] == "nash"]
        outcome = {"tag": "memory", "message": "leduc2: too much"}
        assert row["failed"] == [{"group": "leduc2", "outcome": outcome}]
        assert row["outcome"] == outcome


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--figure", "all.txt"], "expected a file ending in .png, .svg or .pdf"),
        (["--ties", "--by", "cpu"], "--ties: expected values after equal budgets"),
        (["--figure", "none/all.svg"], "in a folder that exists"),
        (["--ties", "--tier", "generic"], "--ties: expected the tier exact first"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_runs(invoke, options, said):
    result = invoke("baselines", *QUICK, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
