"""`python -m benchmarks engine`, with next to no work: what it measures and how it says it. No time is asserted."""

import json
import time

import pytest

from benchmarks import engine
from benchmarks.answering import change
from benchmarks.processes import Cpu, DatabaseClock
from evaluators.registry import get_domain
from evolve.cli.output import SCHEMA_VERSION
from evolve.search.proposer import Screen
from results.records import CampaignSpec
from results.store import open_store
from seeds import source

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report():
    """Both campaigns, the paced one at full speed."""
    told = []
    with pytest.MonkeyPatch.context() as patch:
        quick = engine.measure_paced
        patch.setattr(engine, "SLOTS", 1)
        patch.setattr(
            engine, "measure_paced", lambda n, **k: quick(n, latency_s=0.01, evaluation_s=0.02, **k)
        )
        found = engine.measure(100, paced_candidates=6, progress=lambda *told_now: told.append(told_now))
    assert told == [("paced", n) for n in range(1, 8)] + [("instant", n) for n in range(1, 101)]
    return found


def test_the_paced_campaign(report):
    paced = report.paced
    assert (paced.candidates, paced.latency_s, paced.evaluation_s, paced.slots) == (6, 0.01, 0.02, 1)
    assert paced.ideal == pytest.approx(50.0)
    assert paced.share == pytest.approx(paced.rate / 50.0)
    assert paced.total_share == pytest.approx(6 / paced.total_s / 50.0)
    assert 0 < paced.total_share < paced.share
    assert paced.disk_kb > 0


def test_the_instant_campaign(report):
    instant = report.instant
    assert instant.candidates == sum(instant.outcomes.values()) == 100
    assert instant.outcomes["ok"] > 80
    assert set(instant.cpu_ms) == {"campaign", "database", "workers", "sandbox"}
    assert all(took > 0 for took in instant.cpu_ms.values())
    assert instant.total_ms == pytest.approx(sum(instant.cpu_ms.values()))
    assert instant.flat == pytest.approx(instant.last_ms / instant.first_ms)
    assert instant.python_start_ms > 0
    assert instant.rate > 0
    assert instant.disk_kb > 1


def test_what_is_printed(report, invoke, monkeypatch):
    asked = []

    def measure(candidates, *, paced_candidates, progress):
        asked.append((candidates, paced_candidates))
        progress("instant", 1)
        return report

    monkeypatch.setattr(engine, "measure", measure)
    found = json.loads(invoke("engine", "--candidates", 200, "--paced", 8, "--json").stdout)
    assert found["schema_version"] == SCHEMA_VERSION
    assert found["targets"] == {"share": 0.9, "rate": 60.0, "total_ms": 15.0, "flat": 1.25, "disk_kb": 10.0}
    assert found["paced"]["share"] == report.paced.share
    assert found["instant"]["cpu_ms"] == report.instant.cpu_ms
    assert len(found["load"]) == 2
    printed = invoke("engine").stdout
    assert asked == [(200, 8), (10_000, 120)]
    assert f"{report.paced.share:.0%}" in printed
    assert f"{report.instant.total_ms:.1f} ms" in printed
    assert f"{report.instant.python_start_ms:.1f} ms" in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_cpu_between_two_moments():
    assert Cpu(5.0, 4.0, 3.0, 2.5).since(Cpu(1.0, 2.0, 3.0, 0.5)) == (4.0, 2.0, 0.0, 2.0)


def test_the_clock_counts_what_is_done_in_transactions_that_write(tmp_path):
    def work() -> float:
        """Some CPU; how much it was at least."""
        began = time.thread_time()
        sum(range(300_000))
        return time.thread_time() - began

    spec = CampaignSpec(
        name="a",
        domain="cfr",
        seed=0,
        objective="train",
        plan="train",
        metric=get_domain("cfr").metric,
        config={},
        versions={},
        machine={},
    )
    with open_store(tmp_path / "evolve.db") as store:
        with DatabaseClock() as clock:
            with store.begin_campaign(spec) as writer:
                before = clock.seconds
                assert before > 0
                work()
                assert clock.seconds == before
                with writer.transaction():
                    least = work()
                    writer.add_program("x = 1", tree_hash="t")
                    assert clock.seconds == before  # Not before the end, and then once.
                assert clock.seconds - before >= least
            ended = clock.seconds
        with store.continue_campaign("a") as writer:
            writer.set_status("finished")
        assert clock.seconds == ended


def test_changes_are_programs_and_all_different():
    """Both lines of the seed are changed, also in a child that was changed before."""
    screen, program, seen = Screen(get_domain("cfr")), source("cfr", "cfr_plus"), set()
    for number in range(20):
        block = change(f"{program}\n{number}").split("SEARCH\n")[1]
        before, _, after = block.partition("\n=======\n")
        program = program.replace(before, after.partition("\n>>>>>>>")[0])
        tree_hash, stopped = screen.judge(program)
        assert stopped is None
        seen.add(tree_hash)
    assert len(seen) == 20
