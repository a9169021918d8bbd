"""Tables of programs beside each other: numbers, marks and words of any metric, in terminals of any width."""

import io

import pytest
from rich.console import Console

from evaluators.records import Cost, Metric, Score, Task, TaskResult
from evolve.cli.tables import Entry, by_program, grouped, print_across, ranked, tasks_table, title
from results.comparison import Value

LOG = Metric("loss", "loss of the fit", "min", "log", resolution=0.1, budget="epoch")
MAX = Metric("points", "points per match", "max", "linear", resolution=0.01, task="match", budget="rollout")


def printed(table, width=200):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return [line.split() for line in console.file.getvalue().splitlines() if line.strip()]


def test_titles_have_the_words_of_the_metric():
    assert title(LOG, [Task("a", "a", budget=300), Task("b", "b", budget=300)]) == (
        "Loss of the fit after 300 epochs"
    )
    assert title(LOG, [Task("a", "a", budget=3), Task("b", "b", budget=30)]) == (
        "Loss of the fit after 3 to 30 epochs"
    )
    assert title(MAX, [Task("a", "a")]) == "Points per match"


class TestRows:
    def test_seeds_of_a_family_are_one_row(self):
        results = [
            TaskResult(Task(f"a/{seed}", "a", "noisy", seed=seed), value, stderr=0.1)
            for seed, value in enumerate((1.0, 2.0, 3.0))
        ]
        results.append(TaskResult(Task("b(x=1,y=2)", "b(x=1,y=2)", "noisy"), 5.0))
        rows = grouped(results, "noisy")
        assert rows == {"a": [Value(1.0, 0.1), Value(2.0, 0.1), Value(3.0, 0.1)], "b": [Value(5.0)]}
        assert set(grouped(results, "exact")) == {"a/noisy", "b"}

    def test_columns_that_nobody_has_a_number_for_are_left_out(self):
        exact = TaskResult(Task("a", "a", budget=1), 1.0)
        assert printed(tasks_table(MAX, [exact]))[0] == ["match", "points", "↑", "CPU", "s"]
        full = TaskResult(
            Task("a", "a", budget=10), 1.0, stderr=0.1, reference=((10, 2.0),), uniform=0.5, extra={"size": 3.0},
            cost=Cost(1.0, 1.0, 0.5),
        )  # fmt: skip
        head, _, row = printed(tasks_table(LOG, [full]))
        assert " ".join(head) == "task epochs loss ↓ reference uniform size CPU s ms/epoch"
        assert " ".join(row) == "a 10 1.00e+00 ± 0.1 2.00e+00 5.00e-01 3 1.00 50"


def entry(name, mean, value, stderr=0.0):
    return Entry(name, None if mean is None else Score(mean), {"a": [Value(value, stderr)]})


class TestMarks:
    def cells(self, metric, *entries):
        table = by_program(entries, ["a"], metric, objective="score")
        return {row[0]: " ".join(row[2:]) for row in printed(table)[2:]}

    def test_the_largest_value_has_the_star_where_larger_is_better(self):
        assert self.cells(MAX, entry("x", 1.0, 4.0), entry("y", 1.0, 5.0)) == {"x": "4.00", "y": "★5.00"}

    def test_the_smallest_where_smaller_is(self):
        found = self.cells(LOG, entry("x", 1.0, 0.1), entry("y", 1.0, 0.5))
        assert found == {"x": "★1.00e-01", "y": "5.00e-01"}

    def test_what_cannot_be_told_apart_from_it_is_tied(self):
        close = self.cells(MAX, entry("x", 1.0, 4.995), entry("y", 1.0, 5.0), entry("z", 1.0, 4.0))
        assert close == {"x": "=5.00", "y": "★5.00", "z": "4.00"}
        noisy = self.cells(
            MAX, entry("x", 1.0, 4.0, 0.5), entry("y", 1.0, 5.0, 0.4), entry("z", 1.0, 1.0, 0.5)
        )
        assert noisy == {"x": "=4.00 ± 0.5", "y": "★5.00 ± 0.4", "z": "1.00 ± 0.5"}

    def test_seeds_are_compared_in_pairs(self):
        """One is better by 0.1 on each of three seeds that differ by much more."""
        seeds = (1.0, 5.0, 9.0)
        entries = [
            Entry(n, Score(1.0), {"a": [Value(x + more) for x in seeds]})
            for n, more in (("x", 0), ("y", 0.1))
        ]
        assert self.cells(MAX, *entries) == {"x": "5.00 ± 2.3", "y": "★5.10 ± 2.3"}

    def test_what_was_not_finished_on_all_seeds_is_not_compared(self):
        whole, part = [Value(1.0), Value(2.0)], [Value(9.0)]
        entries = [Entry("x", Score(1.0), {"a": whole}), Entry("y", None, {"a": part})]
        assert self.cells(MAX, *entries) == {"x": "1.50 ± 0.5", "y": "-"}

    def test_one_program_alone_has_none(self):
        assert self.cells(MAX, entry("x", 1.0, 4.0)) == {"x": "4.00"}

    def test_a_failure_is_last_also_where_all_scores_are_negative(self):
        entries = [entry("failed", None, 1.0), entry("bad", -5.0, 1.0), entry("good", -1.0, 1.0)]
        assert [one.name for one in ranked(entries)] == ["good", "bad", "failed"]


class TestNarrowTerminals:
    TASKS = ("kuhn2", "kuhn4", "goofspiel3", "goofspiel5", "liars_dice4", "liars_dice6", "leduc3")

    def lines(self, width, *, terminal=True):
        values = {task: [Value(1e-3)] for task in self.TASKS}
        entries = [
            Entry("anytime_double_oracle", Score(1.0), values, program_ms=100.0),
            Entry("nash", None, {"kuhn2": [Value(1.0)]}),
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
