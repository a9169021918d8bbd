"""The PSRO campaign with a language model that ships in ``examples/``, replayed offline in the real sandbox.

``data/recorded_psro.csv`` is what came of it where it was recorded. When the search changes and answers no longer
fit their parents, the campaign has to be recorded anew. Write the table anew from the repository's root:
PYTHONPATH=. python tests/evolve/search/test_recorded_psro.py
"""

import csv
import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest

import evolve
from evolve.config import load_config
from evolve.search.events import Warned
from evolve.search.run import run
from results import queries
from results.loading import load_state
from results.store import open_store

pytestmark = pytest.mark.slow

EXAMPLES = Path(evolve.__file__).parent.parent / "examples"
RECORDING = EXAMPLES / "recorded_psro.jsonl"
EXPECTED = Path(__file__).with_name("data") / "recorded_psro.csv"
COLUMNS = ("ordinal", "operator", "parents", "outcome", "decades", "program")

PUBLISHED = {"uniform": 0.99691, "prd": 2.3032, "regret_matching": 1.9231}
"""Decades on the training games at K = 100: evolve baselines --domain psro --suite train"""


def lines():
    return [json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]


def shipped():
    return load_config(EXAMPLES / "recorded_psro.toml", {})


def replay(folder):
    """Replays without the slow baselines; the database and the warnings."""
    db, warned = str(folder / "replay.db"), []
    changes = {"model": (f"replay:{RECORDING}",), "baselines": ("uniform",), "workers": 2}

    def observer(event):
        if isinstance(event, Warned):
            warned.append(event.message)

    run(shipped().model_copy(update=changes), db=db, observer=observer)
    return db, warned


def table(db):
    """A row for each candidate, as in the shipped table."""
    with open_store(db, read_only=True) as store:
        record = store.find_campaign("recorded-psro")
        with store.reading() as connection:
            told = load_state(connection, record.id).told
    return [row(each.candidate, each.evaluations) for each in told]


def row(candidate, evaluations):
    decades = next((e.evaluation.scores["decades"].mean for e in evaluations if e.evaluation.scores), None)
    return {
        "ordinal": str(candidate.ordinal),
        "operator": candidate.operator,
        "parents": " ".join(candidate.parents),
        "outcome": candidate.outcome.tag.value,
        "decades": "" if decades is None else repr(decades),
        "program": candidate.program_id or "",
    }


def expected():
    return list(csv.DictReader(EXPECTED.read_text(encoding="utf-8").splitlines()))


def same_score(one, other):
    """To what prompts and ranks can tell apart, and a little more."""
    if not one["decades"] or not other["decades"]:
        return one["decades"] == other["decades"]
    return float(one["decades"]) == pytest.approx(float(other["decades"]), abs=1e-6)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    return replay(tmp_path_factory.mktemp("replayed"))


def test_the_recording_says_what_it_is():
    head, *calls = lines()
    assert "a language model answered every prompt itself" in head["about"]
    assert head["calls"] == len(calls)
    assert {call["answered_by"] for call in calls} == {"mailbox"}
    assert any(call["attempt"] > 0 for call in calls)
    assert RECORDING.stat().st_size < 150_000
    written = shipped().model_dump(mode="json")
    assert {key: written[key] for key in head["config"]} == head["config"]


def test_every_call_is_answered_from_the_file(replayed):
    db, warned = replayed
    with open_store(db, read_only=True) as store:
        calls = queries.calls(store, "recorded-psro")
    said = {(call["ordinal"], call["attempt"]): call["answer"] for call in lines()[1:]}
    assert {(call.ordinal, call.attempt): call.answer for call in calls} == said
    # Prompts show fewer baselines here than where they were recorded: that is said, and nothing else.
    assert all("differs from the recorded one" in line for line in warned)


def test_it_comes_out_as_recorded(replayed):
    rows, then = table(replayed[0]), expected()
    assert len(rows) == len(then)
    alike = next(
        (n for n, pair in enumerate(zip(rows, then, strict=True)) if not same_score(*pair)), len(rows)
    )
    # Where this processor's rounding has come to show, later parents may be others; not before it was told.
    lookahead = shipped().lookahead
    assert alike >= lookahead
    for one, other in list(zip(rows, then, strict=True))[: alike + lookahead]:
        assert {**one, "decades": ""} == {**other, "decades": ""}
    assert Counter(one["outcome"] for one in rows)["ok"] >= len(rows) // 2


def test_it_ends_ahead_of_the_published_rules(replayed):
    assert set(PUBLISHED) == set(shipped().baselines)
    best = max(float(one["decades"]) for one in table(replayed[0]) if one["decades"])
    assert best > max(PUBLISHED.values()) + 0.1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        found = table(replay(Path(name))[0])
    with EXPECTED.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
