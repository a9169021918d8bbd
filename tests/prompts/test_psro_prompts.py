"""The PSRO domain's own part of the prompts. Regenerate: PYTHONPATH=. python tests/prompts/test_psro_prompts.py"""

import random
from functools import cache
from pathlib import Path

import seeds
from evaluators.psro.domain import DOMAIN
from evaluators.psro.loop import BEST_RESPONSE_CALLS
from evaluators.records import Candidate, Evaluation, Outcome, Score, Tag, Task, TaskResult
from evolve.operators.base import Context
from evolve.prompting.prompter import Prompter
from evolve.search.log import CandidateLog

GOLDEN = Path(__file__).with_name("golden") / "psro_system.txt"
GAMES = ("kuhn3", "leduc2")


def scored(kuhn, leduc):
    parts = {"": (kuhn + leduc) / 2, "/kuhn3": kuhn, "/leduc2": leduc}
    means = {f"{DOMAIN.objective}{part}": mean for part, mean in parts.items()}
    curve = ((10, 0.5), (50, 0.2), (100, 0.1))
    results = tuple(TaskResult(Task(game, game, budget=100), 0.1, curve=curve) for game in GAMES)
    return Evaluation(Outcome(Tag.OK), results, {name: Score(mean) for name, mean in means.items()})


@cache
def prompter():
    return Prompter(DOMAIN, families=GAMES, objective=DOMAIN.objective, examples=2)


def conversation(ordinal=1):
    """System and request for a child of the seed."""
    source, evaluation = seeds.source("psro", DOMAIN.seed), scored(1.1, 1.3)
    seed = Candidate(0, "seed", "id0", outcome=evaluation.outcome, source=source, evaluation=evaluation)
    baselines = {name: scored(1.4, 1.9) for name in DOMAIN.baselines}
    log = CandidateLog(DOMAIN.objective, [seed]).upto(1)
    context = Context(DOMAIN.components, DOMAIN.mechanisms, "psro", ordinal, log, baselines)
    return [message.text for message in prompter().first(seed, context, random.Random(3))]


def domains_part():
    """What stands before the sections that all domains share."""
    return conversation()[0].split("# How to answer")[0]


def test_golden():
    assert domains_part() == GOLDEN.read_text(encoding="utf-8")


def test_names_what_programs_implement_and_import():
    text = domains_part()
    for component in DOMAIN.components:
        assert f"class {component.name}:" in text
        assert f"def {component.method}(self, {', '.join(component.arguments)}):" in text
    for module in DOMAIN.sandbox_modules:
        assert module.removesuffix(".linalg") in text


def test_names_the_limit_of_questions():
    assert f"At most {BEST_RESPONSE_CALLS} questions" in domains_part()


def test_shows_the_parent_and_the_baselines():
    _, text = conversation()
    assert seeds.source("psro", DOMAIN.seed).strip() in text
    for name in DOMAIN.baselines:
        assert f"| {name} |" in text


def test_every_focus_renders():
    seen = {conversation(ordinal)[1].split("# Your step")[1] for ordinal in range(20)}
    assert len(seen) > 10
    assert not any("{{" in step for step in seen)


if __name__ == "__main__":
    GOLDEN.write_text(domains_part(), encoding="utf-8")
