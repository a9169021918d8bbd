"""What a domain brings beside `tasks` and `run`: plans, scores, gates, outcomes, costs, seeds of sessions."""

from dataclasses import replace

import pytest

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


def test_tasks_of_any_suite_are_chosen_by_name_or_family():
    domain = FakeDomain(noise=1.0, samples=2)
    assert [task.name for task in domain.plan(["c", "a/1"]).tasks] == ["c/0", "c/1", "a/1"]


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


def test_a_folder_is_none_of_ours(domain):
    assert FakeDomain().folder is None
    assert type("Mine", (FakeDomain,), {"__module__": __name__})("mine").folder.name == "evaluators"


def test_a_domain_without_a_test_suite_holds_nothing_out(domain):
    assert [task.name for task in domain.held_out()] == ["c"]
    domain.suites = ("train",)
    assert domain.held_out() == ()
    assert domain.draw(3) == ()
    assert domain.plan().tasks == (Task("a", "a"), Task("b", "b"))
