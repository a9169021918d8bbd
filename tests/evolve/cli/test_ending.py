"""The end of `evolve run`: every seed beside the discovered program, from stored evaluations, in eighty columns."""

import re
import shutil

import pytest

import seeds
from evaluators.records import Outcome, Tag, Task
from evolve.cli.ending import print_ending
from evolve.config import CampaignConfig
from evolve.search.campaign import END_OF_CAMPAIGN
from evolve.search.events import Summary
from results.queries import held_out, top
from results.records import HeldOutEvaluation
from results.store import open_store

NAME = "cfr-symbolic-s0"
TASKS = [
    Task(f"{group}/generic-{seed}", family, "generic", 1000, seed)
    for group, family in (
        ("kuhn2", "kuhn"), ("leduc2", "leduc"), ("oshi_zumo4", "oshi_zumo"), ("blotto5", "blotto"), ("dice", "dice"),
    )
    for seed in (70, 71)
]  # fmt: skip


@pytest.fixture
def stored(finished, tmp_path):
    """A copy of the small campaign, whose best program and all seeds were evaluated on tasks of the end."""
    db = str(shutil.copy(finished[0], tmp_path / "copy.db"))
    with open_store(db) as store:
        evolved = next(one for one in top(store, NAME, n=99) if one.ordinal)
        best = evolved.program_id
        with store.continue_campaign(NAME) as writer:
            known = {"ordinal": evolved.ordinal, "program": best, "told": 4}
            writer.add_event("best", known | {"mean": 0.3, "stderr": 0.1, "n": 4})
            leads = {best: 0.3}
            for k, name in enumerate(seeds.names("cfr")):
                source = seeds.source("cfr", name)
                leads[writer.add_program(source, tree_hash=name, name=name)] = -0.6 + 0.05 * k
            for key, lead in leads.items():
                for place, task in enumerate(TASKS):
                    writer.record_held_out(held(key, task, lead + 0.003 * place * (1 if key == best else -1)))
            writer.set_status("finished")
    return db


def held(key, task, score):
    return HeldOutEvaluation(
        program_id=key, task=task, outcome=Outcome(Tag.OK), value=1e-3 * 10**-score, stderr=0.0, score=score,
        isolation="kernel", purpose=END_OF_CAMPAIGN,
    )  # fmt: skip


def ending(db, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    summary = Summary(
        campaign=NAME, status="finished", candidates=4, outcomes={"ok": 4}, models=(), best=None, scores={}
    )
    print_ending(summary, CampaignConfig(domain="cfr", candidates=4), db)
    return capsys.readouterr().out


@pytest.fixture
def printed(stored, capsys, monkeypatch):
    return ending(stored, capsys, monkeypatch)


def rows(printed):
    """Name -> cells of the table, in order."""
    cells = [
        re.split(r" {2,}", line.strip()) for line in printed.splitlines() if "±" in line and "  " in line
    ]
    return {first: rest for first, *rest in cells}


def test_every_seed_has_a_row_and_the_discovered_program_stands_among_them(printed):
    found = rows(printed)
    bare = [name.rstrip("†‡") for name in found if name != "discovered"]
    assert sorted(bare) == sorted(seeds.names("cfr"))
    means = [float(cells[0].split(" ")[0]) for cells in found.values()]
    assert means == sorted(means, reverse=True)
    assert {cells[-1] for name, cells in found.items() if name != "discovered"} == {
        "ahead", "level", "behind", "(not counted)",
    }  # fmt: skip
    assert len(found["discovered"]) == 2


def test_marks_are_explained_and_a_reconstruction_is_not_counted(printed):
    found = rows(printed)
    ours = {name.rstrip("†‡"): cells[-1] for name, cells in found.items() if name.endswith("‡")}
    assert ours == dict.fromkeys(seeds.reconstructions("cfr"), "(not counted)")
    assert {name.rstrip("†‡") for name in found if "†" in name} == {
        name for name in seeds.names("cfr") if seeds.planned(seeds.source("cfr", name))
    }
    assert "† is told the horizon. ‡ a reconstruction, shown and not counted." in " ".join(printed.split())


def test_the_words_below_the_table(printed, stored):
    said = " ".join(printed.split())
    counted = len(seeds.names("cfr")) - len(seeds.reconstructions("cfr"))
    assert re.search(rf"the discovered program is ahead of \d+ of {counted}, level with \d+ \(", said)
    assert "On 10 games of 5 families, the discovered program is" in said
    assert re.search(r"Its score on the games that the search followed: \S+ ± \S+; on fresh ones", said)
    assert "Seeds of these games: 70 to 71." in said
    with open_store(stored, create=False, read_only=True) as store:
        runs = sum(one.purpose == END_OF_CAMPAIGN for one in held_out(store, NAME))
    assert f"{runs} held-out evaluations, all recorded." in said


def test_it_fits_eighty_columns(printed):
    table = [line for line in printed.splitlines() if "±" in line and "  " in line]
    assert max(map(len, table)) <= 80


def test_without_held_out_tasks_the_scores_are_those_of_the_search_and_no_verdict_is_given(
    finished, capsys, monkeypatch
):
    import sqlite3  # the campaign, as a domain without held-out tasks would leave it

    db = shutil.copy(finished[0], finished[0].parent / "without.db")
    with sqlite3.connect(db) as connection:
        connection.execute("DELETE FROM held_out")
    said = ending(str(db), capsys, monkeypatch)
    assert "on the games that the search followed, and on no others" in said
    assert "ahead of" not in said
    assert "discovered" in said and "pdcfr_plus" in said
