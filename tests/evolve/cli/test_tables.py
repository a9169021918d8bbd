"""Tables of programs beside each other: numbers, marks and words of any metric, in terminals of any width."""

import io

import pytest
from rich.console import Console

from evaluators.records import Cost, Metric, Score, Task, TaskResult
from evolve.cli.tables import Entry, by_program, by_row, print_across, ranked, tasks_table
from evolve.cli.words import by_row as values_by_row
from evolve.cli.words import legend, number, score, title
from results.comparison import Value

LOG = Metric("loss", "loss of the fit", "min", "log", resolution=0.1, budget="epoch")
MAX = Metric("points", "points per match", "max", "linear", resolution=0.01, task="match", budget="rollout")


def printed(table, width=200):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return [line.split() for line in console.file.getvalue().splitlines() if line.strip()]


class TestNumbers:
    @pytest.mark.parametrize(
        ("metric", "value", "stderr", "text"),
        [
            (LOG, 0.00123456, 0.0, "1.23e-03"),
            (LOG, 0.00123456, 0.00002, "1.23e-03 ± 2e-05"),
            (MAX, 4.2104, 0.0, "4.21"),
            (MAX, 4.2104, 0.052, "4.21 ± 0.05"),
            (MAX, 4.2104, 0.012, "4.210 ± 0.012"),
            (MAX, 4210.4, 52.0, "4210 ± 52"),
            (Metric("m", "m", "max", "linear", resolution=1e-5), 2.6358301, 0.0, "2.63583"),
            (MAX, None, 0.0, "-"),
        ],
    )
    def test_values(self, metric, value, stderr, text):
        assert number(metric, value, stderr) == text

    @pytest.mark.parametrize(
        ("metric", "value", "text"),
        [
            (LOG, Score(1.23456), "1.235"),
            (LOG, Score(1.23456, 0.05, 8), "1.235 ± 0.050"),
            (LOG, Score(0.0), "0.000"),
            (LOG, 0.0004, "4.00e-04"),
            (LOG, 3e-16, "0.000"),
            (MAX, -4.2, "-4.2000"),
            (LOG, None, "-"),
        ],
    )
    def test_scores_have_the_decimals_that_the_metric_resolves(self, metric, value, text):
        assert score(metric, value) == text

    def test_titles_and_legends_have_the_words_of_the_metric(self):
        assert title(LOG, [Task("a", "a", budget=300), Task("b", "b", budget=300)]) == (
            "Loss of the fit after 300 epochs"
        )
        assert title(LOG, [Task("a", "a", budget=3), Task("b", "b", budget=30)]) == (
            "Loss of the fit after 3 to 30 epochs"
        )
        assert title(MAX, [Task("a", "a")]) == "Points per match"
        assert "closer than a factor of 1.26," in legend(LOG)
        assert "closer than 0.01," in legend(MAX)


class TestRows:
    def test_seeds_of_a_family_are_one_row(self):
        results = [
            TaskResult(Task(f"a/{seed}", "a", "noisy", seed=seed), value, stderr=0.1)
            for seed, value in enumerate((1.0, 2.0, 3.0))
        ]
        results.append(TaskResult(Task("b(x=1,y=2)", "b(x=1,y=2)", "noisy"), 5.0))
        values = values_by_row(results, "noisy")
        assert values["a"].value == 2.0
        assert values["a"].stderr == pytest.approx((1 / 3) ** 0.5)
        assert values["b"] == Value(5.0)
        assert set(values_by_row(results, "exact")) == {"a/noisy", "b"}

    def test_columns_that_nobody_has_a_number_for_are_left_out(self):
        exact = TaskResult(Task("a", "a", budget=1), 1.0)
        assert printed(tasks_table(MAX, [exact]))[0] == ["match", "points", "↑", "CPU", "s"]
        full = TaskResult(
            Task("a", "a", budget=10), 1.0, stderr=0.1, reference=((10, 2.0),), uniform=0.5, extra={"size": 3.0},
            cost=Cost(1.0, 1.0, 0.5),
        )  # fmt: skip
        head, _, row = printed(tasks_table(LOG, [full]))
        assert " ".join(head) == "task epochs loss ↓ reference uniform size CPU s ms/epoch"
        assert " ".join(row) == "a 10 1.00e+00 ± 1e-01 2.00e+00 5.00e-01 3 1.00 50"


def entry(name, mean, value, stderr=0.0):
    return Entry(name, None if mean is None else Score(mean), {"a": Value(value, stderr)})


class TestMarks:
    def cells(self, metric, *entries):
        table = by_program(entries, ["a"], metric, objective="score")
        return {row[0]: " ".join(row[2:]) for row in printed(table)[2:]}

    def test_the_largest_value_has_the_star_where_larger_is_better(self):
        assert self.cells(MAX, entry("x", 1.0, 4.0), entry("y", 1.0, 5.0)) == {"x": "4", "y": "★5"}

    def test_the_smallest_where_smaller_is(self):
        found = self.cells(LOG, entry("x", 1.0, 0.1), entry("y", 1.0, 0.5))
        assert found == {"x": "★1.00e-01", "y": "5.00e-01"}

    def test_what_cannot_be_told_apart_from_it_is_tied(self):
        close = self.cells(MAX, entry("x", 1.0, 4.995), entry("y", 1.0, 5.0), entry("z", 1.0, 4.0))
        assert close == {"x": "=4.995", "y": "★5", "z": "4"}
        noisy = self.cells(
            MAX, entry("x", 1.0, 4.0, 0.5), entry("y", 1.0, 5.0, 0.4), entry("z", 1.0, 1.0, 0.5)
        )
        assert noisy == {"x": "=4.0 ± 0.5", "y": "★5.0 ± 0.4", "z": "1.0 ± 0.5"}

    def test_one_program_alone_has_none(self):
        assert self.cells(MAX, entry("x", 1.0, 4.0)) == {"x": "4"}

    def test_a_failure_is_last_also_where_all_scores_are_negative(self):
        entries = [entry("failed", None, 1.0), entry("bad", -5.0, 1.0), entry("good", -1.0, 1.0)]
        assert [one.name for one in ranked(entries)] == ["good", "bad", "failed"]

    def test_standard_errors_stand_below_where_programs_are_columns(self):
        table = by_row([entry("x", 1.0, 4.0, 0.5), entry("y", 1.0, 9.0, 0.4)], ["a"], MAX, objective="score")
        lines = [" ".join(line) for line in printed(table)]
        assert lines[3:5] == ["a ↑ 4.0 ★9.0", "± 0.5 ± 0.4"]


class TestNarrowTerminals:
    TASKS = ("kuhn2", "kuhn4", "goofspiel3", "goofspiel5", "liars_dice4", "liars_dice6", "leduc3")

    def lines(self, width, *, terminal=True):
        values = dict.fromkeys(self.TASKS, Value(1e-3))
        entries = [
            Entry("anytime_double_oracle", Score(1.0), values, program_ms=100.0),
            Entry("nash", None, {"kuhn2": Value(1.0)}),
        ]
        console = Console(width=width, file=io.StringIO(), force_terminal=terminal, color_system=None)
        print_across(console, self.TASKS, lambda some: by_program(entries, some, LOG, objective="decades"))
        return console.file.getvalue().splitlines()

    @pytest.mark.parametrize(("width", "across"), [(80, [3, 2, 2]), (120, [4, 3]), (200, [7]), (60, [1] * 7)])
    def test_tasks_go_into_as_many_tables_as_it_takes(self, width, across):
        heads = [line.split() for line in self.lines(width) if "↓" in line]
        assert [head.count("↓") for head in heads] == across
        assert [word for head in heads for word in head if word in self.TASKS] == list(self.TASKS)

    @pytest.mark.parametrize("width", [80, 120])
    def test_nothing_is_cut(self, width):
        lines = self.lines(width)
        assert max(map(len, lines)) <= width
        assert sum(line.startswith(" anytime_double_oracle ") for line in lines) == sum(
            "↓" in x for x in lines
        )
        assert not any("…" in line for line in lines)

    def test_a_file_has_one_table(self):
        (head,) = [line for line in self.lines(80, terminal=False) if "↓" in line]
        assert all(task in head for task in self.TASKS)
