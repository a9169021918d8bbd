"""The contract of domains holds for ours, and the fake domain is one."""

from pathlib import Path

import pytest

from evaluators.contract import ProgramError
from evaluators.records import Metric, Tag
from evaluators.registry import get_domain
from evaluators.testing import DomainContract, FakeDomain, fake_answer, fake_program
from sandbox.inprocess import InProcessSandbox


class TestCfr(DomainContract):
    domain = get_domain("cfr")
    budget = 30


class TestPsro(DomainContract):
    domain = get_domain("psro")
    budget = 2


SCALES = [(direction, scale) for direction in ("min", "max") for scale in ("linear", "log")]
IDS = ["-".join(pair) for pair in SCALES]


def fake(direction="min", scale="linear", **knobs):
    return FakeDomain(metric=Metric("error", "error", direction, scale, resolution=0.01), **knobs)


def evaluate(domain, program):
    return domain.evaluate(program, domain.plan(), InProcessSandbox())


class TestFakeDomain(DomainContract):
    domain = FakeDomain()

    test_not_to_answer_is_the_programs_fault = None
    """It runs no program."""


class TestNoisyFakeDomain(TestFakeDomain):
    domain = FakeDomain(noise=0.5, refinements=2, metric=Metric("e", "error", "max", "log", 0.01))


@pytest.mark.parametrize(("direction", "scale"), SCALES, ids=IDS)
def test_the_closer_to_the_target_the_better_in_every_direction(direction, scale):
    domain = fake(direction, scale)
    scores = [evaluate(domain, fake_program(x)).scores["score"].mean for x in (0.0, 2.0, 3.5)]
    assert scores == sorted(scores)
    assert scores == pytest.approx([-3.5, -1.5, -0.5])


@pytest.mark.parametrize(("direction", "scale"), SCALES, ids=IDS)
def test_noise_has_the_standard_error_that_it_says(direction, scale):
    score = evaluate(fake(direction, scale, noise=0.1, samples=400), fake_program(0.0)).scores["score/a"]
    assert score.mean == pytest.approx(-3.0, abs=4 * 0.1 / 20)
    assert score.stderr == pytest.approx(0.1 / 20, rel=0.2)
    assert score.n == 400


@pytest.mark.parametrize(
    "fate", [t for t in Tag if t not in ("ok", "rejected", "duplicate", "early_stopped")]
)
def test_a_program_ends_as_is_its_fate(fate):
    domain = fake()
    if fate is Tag.ENGINE_ERROR:
        with pytest.raises(RuntimeError, match="engine_error"):
            evaluate(domain, fake_program(1.0, fate))
    else:
        evaluation = evaluate(domain, fake_program(1.0, fate))
        assert evaluation.outcome.tag is fate
        assert [result.task.name for result in evaluation.results] == ["a"]


def test_what_is_no_number_with_a_fate_is_no_program():
    with pytest.raises(ProgramError, match="a number and a tag"):
        fake_answer("class Answer:\n    def value(self):\n        return 3\n")


ROOT = Path(__file__).parent.parent.parent
TOYS = ROOT / "tests" / "toy_domains"


class TestRoots(DomainContract):
    domain = get_domain(str(TOYS / "roots"))
    first = 2


class TestSacks(DomainContract):
    domain = get_domain(str(TOYS / "sacks"))
    first = 2


class TestHiring(DomainContract):
    domain = get_domain(str(TOYS / "hiring"))
    first = 6


class TestCirclePacking(DomainContract):
    domain = get_domain(str(ROOT / "examples" / "circle_packing"))

    def test_it_is_short(self):
        files = [
            f
            for f in (ROOT / "examples" / "circle_packing").rglob("*.*")
            if f.suffix in (".py", ".j2", ".toml")
        ]
        assert sum(len(file.read_text().splitlines()) for file in files) <= 150

    def test_a_grid_of_equal_circles_has_a_known_value(self, evaluation):
        assert evaluation.results[0].value == pytest.approx(26 / 12)

    def test_circles_that_overlap_are_shrunk_until_they_touch(self, sandbox):
        rows = "return [[0.3, 0.5, 0.3], [0.7, 0.5, 0.3]] + [[0.01 * k, 0.01, 0.0] for k in range(24)]"
        (result,) = self.evaluate(self.program(rows), sandbox).results
        assert result.value == pytest.approx(0.4)
