"""A stored program runs in the kind of sandbox that its campaign demanded, whatever command runs it, or not at all."""

import re
import shutil

import pytest

import seeds
from evaluators.records import Candidate, Evaluation, Metric, Outcome, Provenance, Score, Tag
from evolve.config import CampaignConfig
from results.records import CampaignSpec
from results.store import open_store

SEED = seeds.source("cfr", "cfr_plus")
CHANGED = SEED.replace("+ 1", "+ 2")


@pytest.fixture(scope="module")
def demanding(tmp_path_factory):
    """A campaign whose programs run under gVisor only, which next to no machine has."""
    if shutil.which("runsc"):
        pytest.skip("runsc is here, so that nothing is refused")
    path = tmp_path_factory.mktemp("demanding") / "evolve.db"
    config = CampaignConfig(
        name="strict", tasks=("kuhn2",), budget=2, sandbox="gvisor", min_isolation="gvisor"
    )
    spec = CampaignSpec(
        name="strict", domain="cfr", seed=0, objective="decades", metric=Metric("x", "x", "min", "log", 0.1),
        plan="search", config=config.model_dump(mode="json"), versions={}, machine={},
    )  # fmt: skip
    demanded = Provenance("gvisor", "gvisor")
    with open_store(path) as store, store.begin_campaign(spec) as writer:
        for ordinal, source in enumerate((SEED, CHANGED)):
            outcome = Outcome(Tag.OK)
            evaluation = Evaluation(outcome, scores={"decades": Score(float(ordinal))}, isolation="gvisor")
            candidate = Candidate(ordinal, "x", outcome=outcome, source=source, evaluation=evaluation)
            writer.record(
                candidate, "search", tree_hash=str(ordinal), provenance=demanded if ordinal else None
            )
            writer.tell(ordinal)
    return path


@pytest.mark.parametrize(
    "command",
    [
        "evaluate strict:1 --tasks kuhn2 --budget 2",
        "solve kuhn2 -n 2 --program strict:1",
        "distill strict:1 --tasks kuhn2 --budget 2 --workers 1",
        "promote strict --tasks kuhn2 --horizons 2 --finalists 1 --workers 1",
        "run --from strict:1 --tasks kuhn2 --budget 2 --workers 1 --name other",
    ],
)
def test_what_cannot_run_as_demanded_is_refused_in_one_line(invoke, demanding, here, command):
    result = invoke(*command.split(), "--db", demanding)
    assert (result.exit_code, result.stdout) == (2, "")
    lines = [line for line in result.stderr.splitlines() if not re.fullmatch(r"\d+/\d+ runs", line)]
    assert len(lines) == 1
    assert "sandbox" in lines[0]


def test_a_seed_demands_nothing(invoke, demanding):
    result = invoke("evaluate", "strict:0", "--tasks", "kuhn2", "--budget", 2, "--db", demanding)
    assert result.exit_code == 0, result.stderr
