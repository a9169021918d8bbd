"""A new problem domain is a new package under `evaluators`, and files under `seeds`; nothing else changes."""

import os
from pathlib import Path

import pytest

import evolve

ROOT = Path(evolve.__file__).parent.parent

DOMAIN = '''
"""Programs guess a number: the toy domain of a test."""

import numpy as np

from evaluators.contract import Component, Plan, ProgramError, Stage, nearest
from evaluators.records import Evaluation, Task, TaskResult, Outcome, Tag
from sandbox.base import Limits, SandboxFault

GUEST = """
import numpy as np

def start(program):
    return {"guess": lambda scalars, arrays: (np.array([program.Guess().guess(scalars[0])]),)}
"""


class GuessDomain:
    name = "guess"
    components = (Component("Guess", "guess", ("clue",)),)
    mechanisms = ()
    seed = "low"
    baselines = ("low", "high")
    default_objective = "nearness"
    holdout = ("nine",)
    sandbox_modules = ("numpy",)
    tiers = ("exact",)

    def check(self, source):
        if "class Guess" not in source:
            raise ProgramError("program: expected a class Guess.")

    def plan(self, games=None, *, suite="train", tiers=None, iterations=None):
        names = games or ("five", "seven")
        return Plan((Stage("all", tuple(Instance(g, g, "exact", 1) for g in names)),), Limits())

    def objectives(self, plan):
        return ("nearness", *(f"nearness/{i.game}" for i in plan.instances))

    def score(self, plan, results):
        scores = {f"nearness/{r.instance.game}": -r.exploitability for r in results}
        return scores | {"nearness": sum(scores.values())}

    def evaluate(self, source, plan, sandbox, *, floors=None, progress=None):
        results = []
        for instance in plan.instances:
            wanted = {"five": 5.0, "seven": 7.0, "nine": 9.0}[instance.game]
            try:
                session = sandbox.open(GUEST, source, limits=plan.limits, shared_bytes=4096)
                (guess,) = session.call("guess", (wanted,))
            except SandboxFault as fault:
                return Evaluation(Outcome(Tag(fault.verdict.value), fault.message), tuple(results), {}, "", 0.0, 0.0)
            usage = session.close()
            error = abs(float(guess[0]) - wanted)
            results.append(InstanceResult(instance, instance.game, ((1, error),), wanted, 0.0, 0.0, usage.cpu_s))
        scores, label = self.score(plan, results), sandbox.level.label
        return Evaluation(Outcome(Tag.OK), tuple(results), scores, label, 0.0, 0.0)


DOMAIN = GuessDomain()
'''

SEED = '''"""Guesses {number}."""


class Guess:
    """A constant guess."""

    def guess(self, clue):
        return 0.25 * clue + {number}
'''


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a domain more: our files, untouched, beside the new ones."""
    tree = tmp_path / "checkout"
    for package in ("evolve", "sandbox", "results", "prompts", "evaluators", "seeds"):
        (tree / package).mkdir(parents=True)
        for file in (ROOT / package).iterdir():
            if file.name not in ("__pycache__", "data"):
                (tree / package / file.name).symlink_to(file)
    (tree / "evaluators" / "guess").mkdir()
    (tree / "evaluators" / "guess" / "__init__.py").touch()
    (tree / "evaluators" / "guess" / "domain.py").write_text(DOMAIN)
    (tree / "seeds" / "guess").mkdir()
    for name, number in {"low": 1.0, "high": 90.0}.items():
        (tree / "seeds" / "guess" / f"{name}.py").write_text(SEED.format(number=number))
    return tree


@pytest.fixture
def in_checkout(checkout, evolve_run):
    path = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
    return lambda *arguments: evolve_run(*arguments, cwd=checkout.parent, env={"PYTHONPATH": path})


def test_a_dropped_in_domain_runs_a_campaign(in_checkout, json_lines):
    code, out, err = in_checkout("run", "--domain", "guess", "--candidates", "6", "--workers", "1", "--json")
    assert code == 0, err
    events = json_lines(out)
    assert events[0]["domain"] == "guess"
    assert events[0]["isolation"] != "none"
    assert [e["name"] for e in events if e["event"] == "baseline"] == ["low", "high"]
    assert events[-1]["candidates"] == 6
    assert events[-1]["best"]["objectives"]["nearness"] > events[1]["objectives"]["nearness"]
    code, out, err = in_checkout("results", "show", "guess-symbolic-s0:0", "--json")
    assert code == 0, err


def test_a_dropped_in_seed_is_known_by_name(in_checkout, json_lines):
    code, out, err = in_checkout("evaluate", "high", "--json")
    assert code == 0, err
    (result,) = json_lines(out)
    assert result["domain"] == "guess"
    assert [game["name"] for game in result["games"]] == ["five", "seven"]
