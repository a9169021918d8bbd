"""What a person calls a stored program or campaign, on every command that takes one; and the same in Python."""

import itertools
import re

import pytest

import evolve
import seeds
from evaluators.records import Candidate, Evaluation, Metric, Outcome, Score, Tag
from results.errors import UnknownNameError
from results.records import CampaignSpec
from results.store import open_store
from results.writer import program_id

NAME = "cfr-symbolic-s0"
SEED = seeds.source("cfr", "cfr_plus")
TRACEBACK = "Traceback (most recent call last):\n  File x\nValueError: ours\n"
SHOWN = "results show", "results diff", "results lineage", "results export"
RUN = "evaluate --tasks kuhn2 --budget 1", "solve kuhn2 -n 1 --program"


def command(text, *arguments):
    return (*text.split(), *arguments)


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """A database with two programs whose ids begin alike: (its path, the ids)."""
    known = {}
    for number in itertools.count():
        source = f"{SEED}\n# {number}\n"
        start = program_id(source)[:4]
        if start in known:
            break
        known[start] = source
    path = tmp_path_factory.mktemp("twins") / "evolve.db"
    spec = CampaignSpec(
        name="twins", domain="cfr", seed=0, objective="x", metric=Metric("x", "x", "min", "log", 0.1), plan="search",
        config={}, versions={}, machine={},
    )  # fmt: skip
    ok = Outcome(Tag.OK)
    with open_store(path) as store, store.begin_campaign(spec) as writer:
        ids = []
        for ordinal, text in enumerate((known[start], source)):
            evaluation = Evaluation(ok, scores={"x": Score(float(ordinal))}, isolation="none")
            candidate = Candidate(
                ordinal, "x", parents=tuple(ids), outcome=ok, source=text, evaluation=evaluation
            )
            ids.append(writer.record(candidate, "search", tree_hash=f"{ordinal}").program_id)
            writer.tell(ordinal)
        writer.record_candidate(Candidate(2, "x", outcome=Outcome(Tag.REJECTED, "no")))
        failed = Outcome(Tag.ENGINE_ERROR, "ValueError: ours")
        writer.record_candidate(Candidate(3, "x", outcome=failed))
        writer.add_event(Tag.ENGINE_ERROR, {"ordinal": 3, "log": TRACEBACK})
        evaluation = Evaluation(failed, isolation="none", log=TRACEBACK)
        candidate = Candidate(4, "x", outcome=failed, source=f"{SEED}\n# 4\n", evaluation=evaluation)
        writer.record(candidate, "search", tree_hash="4")
    return path, ids


@pytest.mark.parametrize("text", [*SHOWN, *RUN])
class TestPrograms:
    def test_an_id_may_be_shortened(self, invoke, twins, text):
        path, ids = twins
        length = next(k for k in range(5, 64) if ids[0][:k] != ids[1][:k])
        for ref in (ids[1][:length], ids[1][:length].upper(), "twins:1", "twins:best"):
            result = invoke(*command(text, ref, "--db", path))
            assert result.exit_code in (0, 1), result.stderr
            assert "evolve: " not in result.stderr or "ended as" in result.stderr

    def test_a_beginning_of_several_lists_them(self, invoke, twins, text):
        path, ids = twins
        result = invoke(*command(text, ids[0][:4], "--db", path))
        assert (result.exit_code, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert all(key[:12] in line for key in ids)

    def test_an_unknown_one_names_the_nearest(self, invoke, twins, text):
        path, ids = twins
        wrong = ids[0][:11] + ("0" if ids[0][11] != "0" else "1")
        result = invoke(*command(text, wrong, "--db", path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"Did you mean {ids[0][:12]!r}" in result.stderr

    @pytest.mark.parametrize(
        ("ref", "said"),
        [
            ("twinz:1", "Did you mean 'twins'?"),
            ("twinz:best", "Did you mean 'twins'?"),
            ("twins:9", "Its last one is 4."),
            ("twins:2", "never became a program (rejected)"),
        ],
    )
    def test_an_unknown_candidate(self, invoke, twins, text, ref, said):
        result = invoke(*command(text, ref, "--db", twins[0]))
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr

    def test_without_a_database(self, invoke, text):
        result = invoke(*command(text, "twins:best", "--db", "none.db"))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "There is no database at none.db" in result.stderr


@pytest.mark.parametrize("ordinal", [3, 4], ids=["before there was a program", "while it was evaluated"])
def test_a_fault_of_the_engine_shows_its_traceback(invoke, ask, twins, ordinal):
    result = invoke("results", "show", f"twins:{ordinal}", "--db", twins[0])
    assert result.exit_code == 0, result.stderr
    assert "The engine failed" in result.stdout
    assert TRACEBACK in result.stdout
    found = ask("results", "show", f"twins:{ordinal}", "--db", twins[0])
    logs = [found.get("traceback"), *(e["log"] for e in found.get("evaluations", ()))]
    assert TRACEBACK in logs


@pytest.mark.parametrize("text", ["results top", "results calls", "results export", "promote", "report"])
def test_an_unknown_campaign_names_the_nearest(invoke, finished, here, text):
    result = invoke(*command(text, "cfr-symbolic-s1", "--db", finished[0]))
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(r"no campaign 'cfr-symbolic-s1'.*Did you mean 'cfr-symbolic-s0'\?", result.stderr)
    assert list(here.iterdir()) == []


class TestCallsOfOneCandidate:
    @pytest.mark.parametrize("word", ["0", "best"])
    def test_that_asked_no_model(self, invoke, ask, finished, word):
        result = invoke("results", "calls", f"{NAME}:{word}", "--db", finished[0])
        assert re.fullmatch(rf"Candidate \d of {NAME} asked no model\.\n", result.stdout)
        assert ask("results", "calls", f"{NAME}:{word}", "--db", finished[0])["calls"] == []

    @pytest.mark.parametrize(("ref", "said"), [(f"{NAME}:99", "Its last one is 3."), ("cfr:best", NAME)])
    def test_that_is_not_there(self, invoke, finished, ref, said):
        result = invoke("results", "calls", ref, "--db", finished[0])
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr


class TestInPython:
    def test_campaigns_and_their_best(self, finished):
        (campaign,) = evolve.campaigns(db=str(finished[0]))
        found = evolve.top(campaign.name, n=2, db=str(finished[0]))
        assert [one.rank for one in found] == [1, 2]
        assert found[0].value == campaign.best

    def test_as_frames(self, finished):
        pytest.importorskip("pandas", reason="frames need pandas")
        frame = evolve.frame(evolve.top(NAME, db=str(finished[0])))
        bounds = frame["scores.advantage.mean"] - frame["scores.advantage.stderr"]
        assert bounds[1:].is_monotonic_decreasing  # The first is the search's best, whatever its bound is.
        assert frame["value"].equals(frame["scores.advantage.mean"].rename("value"))
        assert evolve.frame(evolve.campaigns(db=str(finished[0])))["name"].tolist() == [NAME]

    def test_an_unknown_campaign(self, finished):
        with pytest.raises(UnknownNameError, match="no campaign 'cfr'"):
            evolve.top("cfr", db=str(finished[0]))
