"""Lineages: first parents, from the first program of a campaign on."""

import pytest

from results.errors import UnknownNameError
from results.lineage import lineage
from results.programs import program
from results.store import open_store

PARENTS = {0: (), 1: (0,), 2: (0,), 3: (2, 1), 4: (3,)}


@pytest.fixture
def family(make, tmp_path):
    """A store with five candidates, the last of which failed; and their ids."""
    with open_store(tmp_path / "evolve.db", clock=make.clock()) as store:
        with store.begin_campaign(make.spec()) as writer:
            ids = [writer.add_program(make.source(k), tree_hash=str(k)) for k in PARENTS]
            other = writer.add_program(make.source(9), tree_hash="9", name="dcfr")
            for k, parents in PARENTS.items():
                outcome = "timeout" if k == 4 else "ok"
                found = tuple(ids[p] for p in parents)
                writer.record_candidate(make.candidate(k, ids[k], parents=found, outcome=outcome))
                scores = {} if k == 4 else {"train": 1.0 + k}
                make.store(writer, make.evaluation(k, ids[k], outcome=outcome, scores=scores))
                writer.tell(k)
            # The same program once more, which came from a later one: no way back into the past.
            writer.record_candidate(make.candidate(5, ids[0], parents=(ids[3],), outcome="duplicate"))
            make.store(writer, make.evaluation(None, other))
        yield store, ids


def test_first_parents_with_scores_and_changes(family):
    store, ids = family
    found = lineage(store, ids[4])
    assert (found.campaign, found.objective) == ("cfr-symbolic-s1", "train")
    assert [s.ordinal for s in found.steps] == [0, 2, 3, 4]
    assert [s.score for s in found.steps] == [1.0, 3.0, 4.0, None]
    assert [s.outcome for s in found.steps][-1] == "timeout"
    assert found.steps[2].others == (ids[1],)
    assert found.steps[1].note == "insert 2"
    assert "weight = 3" in found.steps[2].source


def test_the_first_program_is_its_own_lineage(family):
    store, ids = family
    assert [s.program_id for s in lineage(store, ids[0]).steps] == [ids[0]]


def test_by_ordinal_and_by_rank(family):
    store, ids = family
    assert lineage(store, "cfr-symbolic-s1:2").steps[-1].program_id == ids[2]
    assert lineage(store, "cfr-symbolic-s1:best").steps[-1].program_id == ids[3]


def test_a_baseline_has_none(family):
    with pytest.raises(UnknownNameError, match="no campaign proposed it"):
        lineage(family[0], "dcfr")


def test_an_unknown_id_names_the_nearest(family):
    store, ids = family
    wrong = ids[2][:8] + ("0" if ids[2][8] != "0" else "1")
    with pytest.raises(UnknownNameError) as error:
        program(store, wrong)
    assert ids[2][:10] in error.value.hint
    assert ids[2][:10] in error.value.hint.split("'")[1]


def test_nothing_is_near_an_unlikely_name(family):
    with pytest.raises(UnknownNameError) as error:
        program(family[0], "dcfx")
    assert "dcfr" in error.value.hint
