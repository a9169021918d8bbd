"""`python -m benchmarks path`: what counts as a hop and as a record, and one traced campaign."""

import asyncio
import json
from types import ModuleType

import pytest

from benchmarks import path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report():
    return path.measure()


def test_the_way_starts_and_ends_where_it_says(report):
    functions = [hop.function for hop in report.hops]
    assert functions[0] == f"{path.START.__module__}.{path.START.__qualname__}"
    assert f"{path.END.__module__}.{path.END.__qualname__}" in functions[-10:]
    assert 0 < report.ordinal < path.CAMPAIGN["candidates"] - 1


def test_every_hop_goes_into_another_module_once(report):
    functions = [hop.function for hop in report.hops]
    assert len(set(functions)) == len(functions)
    assert {"evolve", "evaluators", "results"} <= {name.partition(".")[0] for name in functions} <= path.OURS
    assert len(set(report.records)) == len(report.records)


def test_the_way_leads_through_the_worker_and_the_database(report):
    """One function of each stage, whatever they are called: operator, evaluation, domain, store."""
    packages = {".".join(hop.function.split(".")[:2]) for hop in report.hops}
    assert {"evolve.operators", "evolve.evaluation", "evaluators.cfr"} <= packages
    assert any(name.startswith("evaluators.") and name.endswith(".Evaluation") for name in report.records)


def test_the_way_is_as_short_as_it_is_to_be(report):
    assert len(report.hops) <= path.HOPS
    assert len(report.records) <= path.RECORDS


def test_what_is_printed(report, invoke, monkeypatch):
    monkeypatch.setattr(path, "measure", lambda: report)
    shown = json.loads(invoke("path", "--json").stdout)
    assert shown["totals"] == {"hops": len(report.hops), "records": len(report.records)}
    assert shown["targets"] == {"hops": 30, "records": 12}
    assert shown["hops"][0]["function"] == report.hops[0].function
    assert "A hop is the entry" in shown["definition"]
    printed = invoke("path").stdout
    assert "A hop is the entry" in printed
    assert f"hops {len(report.hops):11} (target: at most 30)" in printed
    assert f"record types {len(report.records):3} (target: at most 12)" in printed


MODULES = {
    "evolve.first": """
import asyncio

async def search(second):
    helper()
    await second.wait()
    second.Plugged().value
    second.later(lambda: None)
    return await second.propose()

def helper():
    pass
""",
    "evolve.operators.second": """
import asyncio
from dataclasses import dataclass
from typing import NamedTuple
from pydantic import BaseModel

class Idea(NamedTuple):
    text: str

@dataclass
class Private:
    text: str

class Settings(BaseModel):
    text: str

class Plugged:
    @property
    def value(self):
        Settings(text="a")
        return Settings.model_validate({"text": "b"})

async def wait():
    await asyncio.sleep(0)
    await asyncio.sleep(0)

def later(action):
    Idea("of the way")._replace(text="another")

async def propose():
    await asyncio.sleep(0)
    Private("of its own")
    third.private()
    return Idea("proposed")
""",
    "evolve.third": """
def private():
    pass
""",
}
"""Two modules of ours, were they there, one of them an operator's, and one that only the operator knows."""


@pytest.fixture
def modules():
    made = {}
    for name, source in MODULES.items():
        module = ModuleType(name)
        exec(compile(source, f"{name}.py", "exec"), vars(module))
        made[name.rpartition(".")[2]] = module
    vars(made["second"])["third"] = made["third"]
    return made


def names(trace, *, records=False):
    return [e.name for e in trace.entries if e.record is records and not e.left_out]


def test_what_counts(modules):
    """Not a helper of the same module, nor a property, nor what lies below `propose`, nor a coroutine that goes on."""
    with path.Trace() as trace:
        asyncio.run(modules["first"].search(modules["second"]))
    second = "evolve.operators.second"
    assert names(trace) == [
        "evolve.first.search",
        f"{second}.wait",
        f"{second}.later",
        f"{second}.propose",
    ]
    assert [(e.name, e.left_out) for e in trace.entries if e.left_out and not e.record] == [
        (f"{second}.Plugged.value", "properties"),
        ("evolve.third.private", "below a plug-in"),
    ]
    assert [e.caller for e in trace.entries if e.name == f"{second}.wait"] == ["evolve.first.search"]


def test_which_records_count(modules):
    """Of all three kinds; of an operator's own those that it returns."""
    with path.Trace() as trace:
        asyncio.run(modules["first"].search(modules["second"]))
    second = "evolve.operators.second"
    assert names(trace, records=True) == [*[f"{second}.Settings"] * 2, *[f"{second}.Idea"] * 3]
    assert {e.name: e.left_out for e in trace.entries if e.record and e.left_out} == {
        f"{second}.Private": "below a plug-in",
        f"{second}.Idea": "below a plug-in",
    }
