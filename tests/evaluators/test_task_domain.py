"""What a domain brings beside `tasks` and `run`: plans, scores, gates, outcomes, costs, seeds of sessions."""

import time
from collections import Counter
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.contract import CapabilityError, MeanGate, ProgramError, Stage, TaskError
from evaluators.functions import Function, number
from evaluators.records import LIMIT_TAGS, Score, Tag, Task, TaskResult
from evaluators.testing import FakeDomain, fake_program
from sandbox.inprocess import InProcessSandbox
from sandbox.process import make


@pytest.fixture
def domain():
    return FakeDomain()


def evaluate(domain, program, plan=None, **options):
    return domain.evaluate(program, plan or domain.plan(), InProcessSandbox(), **options)


def test_a_plan_has_the_tasks_of_a_suite(domain):
    assert [task.name for task in domain.plan().tasks] == ["a", "b"]
    assert [task.name for task in domain.plan(suite="test").tasks] == ["c"]
    assert {task.budget for task in domain.plan(budget=9).tasks} == {9}


def test_tasks_of_any_suite_are_chosen_by_name_group_or_family():
    domain = FakeDomain(noise=1.0, samples=2)
    assert [task.name for task in domain.plan(["c", "a/1"]).tasks] == ["c/0", "c/1", "a/1"]

    class Related(FakeDomain):
        def tasks(self, *choice):
            return [replace(task, family="all") for task in super().tasks(*choice)]

    domain = Related(noise=1.0, samples=2)
    assert [task.name for task in domain.plan(["b"]).tasks] == ["b/0", "b/1"]
    assert len(domain.plan(["all"]).tasks) == 6


@pytest.mark.parametrize(
    ("task", "group"),
    [
        (Task("leduc2", "leduc"), "leduc2"),
        (Task("leduc2/generic-3", "leduc", seed=3), "leduc2"),
        (Task("random-17", "random", seed=17), "random"),
        (Task("random-17/generic-3", "random", seed=3), "random-17"),
        (Task("random-17", "random"), "random-17"),
        (Task("lot-7-17", "lot", seed=17), "lot-7"),
    ],
)
def test_the_group_of_a_task_is_its_name_without_its_seed(task, group):
    assert task.group == group


def test_scores_have_a_part_for_every_group():
    domain = FakeDomain(noise=0.1, samples=2)
    evaluation = evaluate(domain, fake_program(3.0))
    assert list(evaluation.scores) == list(domain.score_names(domain.plan())) == [
        "score", "score/a", "score/b",
    ]  # fmt: skip
    for group in "ab":
        own = [-r.value for r in evaluation.results if r.task.group == group]
        assert evaluation.scores[f"score/{group}"].mean == pytest.approx(fmean(own))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["aa"]}, "task: expected a name; got 'aa'"),
        ({"suite": "tset"}, "suite: expected a name; got 'tset'"),
        ({"tiers": ["exat"]}, "tier: expected a name; got 'exat'"),
        ({"seeds": ()}, "at least one task"),
    ],
)
def test_what_a_domain_has_not_is_named(options, message):
    with pytest.raises(TaskError, match=message):
        FakeDomain(noise=1.0).plan(**options)


def test_the_interface_is_checked(domain):
    for source in ("", "class Answer:\n    x = 1\n", "class Answer:\n    def value(self, x): ...\n"):
        with pytest.raises(ProgramError):
            domain.check(source)
    assert domain.resembles(fake_program(1.0)) == 1


def test_what_a_domain_does_not_bring_is_named(domain):
    for capability in ("solver", "psro_solver", "exporter", "mechanisms", "meta_strategy_method"):
        with pytest.raises(CapabilityError, match=f"export: the domain fake has no {capability}"):
            domain.require(capability, command="export")


def test_progress_is_told_after_each_task(domain):
    seen = []
    evaluation = evaluate(domain, fake_program(3.0), progress=seen.append)
    assert tuple(seen) == evaluation.results
    assert evaluation.scores["score"] == Score(-0.5, 0.0, 2)
    assert evaluation.stages == {"all": Score(-0.5, 0.0, 2)}


def test_a_failure_keeps_the_results_before_it_and_has_no_score(domain):
    evaluation = evaluate(domain, fake_program(3.0, Tag.TIMEOUT))
    assert (evaluation.outcome.tag, evaluation.outcome.message) == (
        "timeout",
        "b: it is this program's fate",
    )
    assert [result.task.name for result in evaluation.results] == ["a"]
    assert evaluation.scores == {}
    assert evaluation.outcome.tag in LIMIT_TAGS


def test_a_gate_ends_an_evaluation_between_stages(domain):
    a, b = domain.plan().tasks
    plan = replace(domain.plan(), stages=(Stage("first", (a,), MeanGate(0.5)), Stage("second", (b,))))
    against = {"first": Score(0.0)}
    assert evaluate(domain, fake_program(2.6), plan, against=against).outcome.ok
    stopped = evaluate(domain, fake_program(2.4), plan, against=against)
    assert stopped.outcome.tag is Tag.EARLY_STOPPED
    assert [result.task.name for result in stopped.results] == ["a"]
    assert stopped.stages == {"first": Score(pytest.approx(-0.6), 0.0, 1)}
    assert evaluate(domain, fake_program(2.4), plan).outcome.ok


class Drawing(FakeDomain):
    """Programs draw a number; the value is what they drew, twice, in two sessions."""

    reference = "drawn"
    runs = 0

    def check(self, source): ...

    def seed_source(self, name):
        return DRAWN

    def run(self, program, task, sandbox, limits):
        self.runs += 1
        values = []
        for _ in range(2):
            draw = Function(program, self.components[0], sandbox, limits)
            values.append(number(draw()))
            draw.close()
        return TaskResult(task, values[0], extra={"second": values[1]})


DRAWN = "import random\nclass Answer:\n    def value(self):\n        print('hello')\n        return random.random()\n"


@pytest.fixture(scope="module")
def sandbox():
    with make("process", ("numpy",)) as sandbox:
        yield sandbox


def test_a_session_draws_what_program_and_task_seed_decide(sandbox):
    domain = Drawing(noise=1.0, samples=3)
    first, again = (domain.evaluate(DRAWN, domain.plan(), sandbox) for _ in range(2))
    assert first.values() == again.values()
    assert len({result.value for result in first.results}) == len({r.task.seed for r in first.results}) == 3
    other = domain.evaluate(DRAWN + "\n# another program\n", domain.plan(), sandbox)
    assert not set(other.values().values()) & set(first.values().values())
    assert all(result.extra["second"] == result.value for result in first.results)


def test_costs_and_logs_are_taken_from_outside(sandbox):
    domain = Drawing()
    evaluation = domain.evaluate(DRAWN, domain.plan(), sandbox)
    assert evaluation.log == "hello\n"
    assert evaluation.isolation == sandbox.level.label
    for result in evaluation.results:
        assert result.cost.candidate_cpu_s > 0
        assert result.cost.cpu_s > 0
        assert result.cost.wall_s > 0
    assert evaluation.cost.wall_s >= sum(result.cost.wall_s for result in evaluation.results)


def test_the_reference_is_run_once_for_each_task_and_scores_are_relative_to_it(sandbox):
    domain = Drawing(noise=1.0, samples=1)
    for _ in range(2):
        evaluation = domain.evaluate(DRAWN, domain.plan(), sandbox)
    assert domain.runs == 2 * 2 + 2
    assert all(result.reference == result.curve for result in evaluation.results)
    assert evaluation.scores["score"].mean == 0.0


class Relative(FakeDomain):
    """Scores are relative to a program of 2; values have a curve with a point at each tenth of the budget.

    Args:
        fate: of the reference, which strikes on task b.
        points: at which budgets curves have values; the last one is `value`'s.
    """

    reference = "two"
    readings = (0.25, 0.5, 1.0)
    clip = 0.75

    def __init__(self, fate=Tag.OK, points=(25, 50, 100), **options):
        super().__init__(seeds={"zero": fake_program(0.0), "two": fake_program(2.0, fate)}, **options)
        self._points = points
        self.runs = Counter()

    def run(self, program, task, sandbox, limits):
        self.runs[program] += 1
        end = super().run(program, task, sandbox, limits)
        curve = tuple((k, end.value * self._points[-1] / k) for k in self._points)
        return replace(end, value=curve[-1][1], curve=curve)


def relative(program, points=(25, 50, 100), **options):
    domain = Relative(points=points, **options)
    return evaluate(domain, program, domain.plan(budget=100)).results


def test_readings_of_one_run_are_clipped_one_by_one():
    """On a the reference is at 4, 2 and 1, and x = 3.125 at 0.5, 0.25 and 0.125: ahead by 3.5, 1.75 and 0.875."""
    domain = Relative()
    on_a, on_b = relative(fake_program(3.125))
    assert domain.read_at(100) == (25, 50, 100)
    assert [value for _, value in on_a.reference] == [4.0, 2.0, 1.0]
    assert [value for _, value in on_a.curve] == [0.5, 0.25, 0.125]
    assert domain.task_score(on_a) == 0.75
    assert domain.task_score(on_b) == 0.75
    on_a, on_b = relative(fake_program(2.2))
    assert domain.task_score(on_a) == pytest.approx((0.75 + 0.4 + 0.2) / 3)
    assert domain.task_score(on_b) == pytest.approx((0.75 + 0.4 + 0.2) / 3)
    on_a, _ = relative(fake_program(1.9))
    assert domain.task_score(on_a) == pytest.approx(-(0.4 + 0.2 + 0.1) / 3)


@given(st.floats(-9, 9), st.floats(-9, 9))
def test_a_score_changes_its_sign_with_its_sides(x, y):
    domain = Relative()
    one, other = (relative(fake_program(v))[0] for v in (x, y))
    ahead, behind = replace(one, reference=other.curve), replace(other, reference=one.curve)
    assert domain.task_score(ahead) == pytest.approx(-domain.task_score(behind))
    assert domain.task_score(replace(one, reference=one.curve)) == 0.0


def test_a_curve_without_readings_counts_by_its_end():
    domain = Relative()
    for points in ((100,), (7, 99), (10, 100)):
        on_a, _ = relative(fake_program(2.2), points)
        assert domain.task_score(on_a) == pytest.approx(0.2)
    on_a, _ = relative(fake_program(2.2), (50, 98))
    assert domain.task_score(on_a) == pytest.approx((0.2 * 98 / 50 + 0.2) / 2)


@pytest.mark.parametrize(("budget", "read"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (10, (2, 5, 10))])
def test_readings_are_whole_numbers_and_each_is_read_once(budget, read):
    assert Relative().read_at(budget) == read
    assert FakeDomain().read_at(budget) == (budget,)


def test_a_domain_without_a_reference_scores_by_its_values(domain):
    assert domain.reference == ""
    on_a, _ = evaluate(domain, fake_program(2.2)).results
    assert on_a.reference == ()
    assert domain.task_score(on_a) == pytest.approx(-0.8)


def test_what_the_reference_costs_is_not_the_programs_to_pay():
    class Slow(Relative):
        def run(self, program, task, sandbox, limits):
            until = time.process_time() + (0.2 if program == self.seed_source("two") else 0.0)
            while time.process_time() < until:
                pass
            return super().run(program, task, sandbox, limits)

    domain = Slow()
    first, again = (evaluate(domain, fake_program(x)) for x in (1.0, 1.5))
    assert domain.runs[fake_program(2.0)] == 2
    assert first.cost.cpu_s < 0.15
    assert first.cost.wall_s < 0.35
    assert again.cost.cpu_s < 0.15
    assert sum(result.cost.cpu_s for result in first.results) < 0.15


@pytest.mark.parametrize("fate", [Tag.EXCEPTION, Tag.TIMEOUT, Tag.MEMORY, Tag.INVALID])
def test_a_task_on_which_the_reference_fails_is_a_clear_error(fate):
    with pytest.raises(TaskError) as error:
        evaluate(Relative(fate), fake_program(1.0))
    assert error.value.message.startswith("b: expected a task that the reference program two takes, to which")
    assert "fate" in error.value.message
    assert "\n" not in error.value.message
    assert error.value.hint == "Leave this task out."


def test_tasks_that_the_reference_takes_are_evaluated_beside_one_that_it_does_not():
    domain = Relative(Tag.EXCEPTION)
    assert evaluate(domain, fake_program(1.0), domain.plan(["a"])).outcome.ok


def test_a_machine_that_cannot_run_the_reference_is_not_the_tasks_fault():
    evaluation = evaluate(Relative(Tag.INFRASTRUCTURE), fake_program(1.0))
    assert evaluation.outcome.tag is Tag.INFRASTRUCTURE


def test_a_folder_is_none_of_ours(domain):
    assert FakeDomain().folder is None
    assert type("Mine", (FakeDomain,), {"__module__": __name__})("mine").folder.name == "evaluators"


def test_a_domain_without_a_test_suite_holds_nothing_out(domain):
    assert [task.name for task in domain.held_out(7)] == ["c"]
    assert [task.budget for task in domain.held_out(7, 9)] == [9]
    domain.suites = ("train",)
    assert domain.held_out(7) == ()
    assert domain.draw(3) == ()
    assert domain.plan().tasks == (Task("a", "a"), Task("b", "b"))
