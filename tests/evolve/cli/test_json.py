"""`--json`: standard output holds JSON and nothing else, in the shapes that other programs rely on."""

import json

import pytest

from evaluators.cfr.domain import DOMAIN
from evaluators.games.game_domain import is_law
from evaluators.records import Tag
from evaluators.registry import get_domain
from sandbox.base import Level

SEED = get_domain("cfr").seed_source("cfr_plus")
QUICK = ("--tasks", "kuhn2", "--budget", 3)


@pytest.fixture
def failing(here):
    """A program that works on Kuhn poker with two players and fails with three."""
    path = here / "failing.py"
    old = "return info_states.normalize("
    path.write_text(SEED.replace(old, f"assert len(cfr_regrets) == 12\n        {old}"))
    return path


class TestEvaluate:
    def test_gives_one_object_of_the_documented_shape(self, ask):
        """Outcome 12 of the redesign, key by key: other programs rely on it."""
        found = ask("evaluate", "cfr_plus", "--tasks", "kuhn2,kuhn3", "--budget", 12)
        assert list(found) == [
            "schema_version", "domain", "program", "metric", "outcome", "isolation", "scores", "tasks",
        ]  # fmt: skip
        assert found["domain"] == "cfr"
        assert found["program"]["name"] == "cfr_plus"
        assert len(found["program"]["id"]) == 64
        assert found["metric"] == {
            "name": "exploitability",
            "label": "exploitability (NashConv / N)",
            "direction": "min",
            "scale": "log",
        }
        assert found["outcome"] == {"tag": "ok", "message": ""}
        assert found["scores"]["decades"]["mean"] > 0
        assert all(set(score) == {"mean", "stderr", "n"} for score in found["scores"].values())
        for task, name in zip(found["tasks"], ["kuhn2", "kuhn3"], strict=True):
            assert list(task) == [
                "name", "family", "tier", "budget", "seed", "value", "stderr", "samples", "reference", "curve", "cost",
            ]  # fmt: skip
            assert (task["name"], task["family"], task["tier"]) == (name, "kuhn", "exact")
            assert (task["budget"], task["seed"], task["stderr"], task["samples"]) == (12, None, 0, 1)
            assert [k for k, _ in task["curve"]] == [1, 2, 3, 4, 5, 10, 12]
            assert task["curve"][-1][1] == task["value"]
            assert [k for k, _ in task["reference"]] == [k for k, _ in task["curve"]]
            assert list(task["cost"]) == ["cpu_s", "wall_s", "candidate_cpu_s", "oracle_calls"]
            assert task["cost"]["wall_s"] > 0

    def test_games_and_iterations_are_synonyms(self, ask):
        found = [
            ask("evaluate", "cfr", task, "kuhn2", budget, 3, "--in-process")
            for task, budget in (("--tasks", "--budget"), ("--games", "--iterations"))
        ]
        assert found[0]["tasks"][0]["curve"] == found[1]["tasks"][0]["curve"]

    def test_runs_in_the_sandbox(self, ask):
        found = ask("evaluate", "cfr_plus", *QUICK)
        assert Level.parse(found["isolation"]) >= Level.RLIMITS

    def test_in_process_gives_the_same_numbers(self, ask):
        inside, beside = ask("evaluate", "cfr", *QUICK), ask("evaluate", "cfr", *QUICK, "--in-process")
        assert beside["isolation"] == "none"
        assert inside["tasks"][0]["curve"] == beside["tasks"][0]["curve"]

    def test_takes_a_path(self, ask, here):
        (here / "mine.py").write_text(SEED)
        found = ask("evaluate", "mine.py", *QUICK, "--in-process")
        assert found["program"]["name"] == "mine"
        assert found["program"]["id"] == ask("evaluate", "cfr_plus", *QUICK, "--in-process")["program"]["id"]

    def test_takes_the_beginning_of_a_stored_id(self, ask, finished):
        db, events = finished
        found = ask("evaluate", events[-1]["best"]["program"][:12], *QUICK, "--db", db)
        assert found["program"]["id"] == events[-1]["best"]["program"]
        assert found["outcome"]["tag"] == "ok"

    def test_takes_campaign_and_ordinal(self, ask, finished):
        assert (
            ask("evaluate", "cfr-symbolic-s0:0", *QUICK, "--db", finished[0])["program"]["name"] == "cfr_plus"
        )

    def test_a_stored_program_stays_in_the_sandbox(self, invoke, ask, finished):
        ref = (finished[1][-1]["best"]["program"], *QUICK, "--db", finished[0])
        refused = invoke("evaluate", *ref, "--in-process")
        assert refused.exit_code == 2
        assert "--unsafe-in-process" in refused.stderr
        assert ask("evaluate", *ref, "--unsafe-in-process")["isolation"] == "none"

    def test_takes_openspiel_strings_with_commas(self, ask):
        string = "goofspiel(imp_info=True,num_cards=3,players=2,points_order=descending)"
        found = ask("evaluate", "cfr", "--tasks", f"{string},kuhn2", "--budget", 2, "--in-process")
        assert [task["name"] for task in found["tasks"]] == ["kuhn2", "goofspiel3"]

    def test_takes_a_tier(self, ask):
        found = ask("evaluate", "cfr", *QUICK, "--tier", "exact,scale", "--in-process")
        assert [t["name"] for t in found["tasks"]] == ["kuhn2", "kuhn2/scale-0.1", "kuhn2/scale-10"]

    def test_takes_a_suite(self, ask):
        found = ask("evaluate", "cfr", "--suite", "train", "--budget", 1, "--in-process")
        exact = {name for name in DOMAIN.block if not is_law(name)}
        assert {task["name"] for task in found["tasks"]} == exact
        found = ask("evaluate", "cfr", "--suite", "paper", "--tier", "exact", "--budget", 1, "--in-process")
        assert {t["name"] for t in found["tasks"]} == {"kuhn3", "leduc2", "goofspiel4", "liars_dice5"}

    def test_a_program_that_fails_still_has_its_object(self, ask, failing):
        found = ask("evaluate", failing, "--tasks", "kuhn2,kuhn3", "--budget", 3, code=1)
        assert found["outcome"]["tag"] == "exception"
        assert found["outcome"]["message"].startswith("kuhn3: ")
        assert found["scores"] == {}
        assert [task["name"] for task in found["tasks"]] == ["kuhn2"]

    def test_what_a_program_prints_stays_out_of_the_json(self, invoke, here):
        (here / "loud.py").write_text("print('hello')\n" + SEED)
        for more in ([], ["--in-process"]):
            result = invoke("evaluate", "loud.py", *QUICK, *more, "--json")
            assert json.loads(result.stdout)["outcome"]["tag"] == "ok"
            first, *further = result.stderr.splitlines()
            printed = (
                [first, *further] if not first.startswith("Held-out games kuhn2: recorded in") else further
            )
            assert "\n".join(printed).strip() == "It printed: hello"


class TestRun:
    def test_every_line_is_an_object_of_this_schema(self, finished):
        assert all(event["schema_version"] == 2 for event in finished[1])

    def test_events_come_in_order(self, finished):
        kinds = [event["event"] for event in finished[1]]
        assert kinds[0] == "started"
        assert kinds[-1] == "done"
        assert set(kinds) == {"started", "baseline", "candidate", "best", "refined", "held_out", "done"}
        firsts = [
            kinds.index(kind) for kind in ("started", "baseline", "candidate", "best", "held_out", "done")
        ]
        assert firsts == sorted(firsts)
        assert set(kinds[kinds.index("held_out") :]) == {"held_out", "done"}

    def test_the_last_line_sums_up(self, finished):
        done = finished[1][-1]
        assert done["campaign"] == "cfr-symbolic-s0"
        assert done["candidates"] == 4
        assert set(done["best"]) == {"program", "scores"}
        known = [e for e in finished[1] if e["event"] in ("best", "refined")]
        last = [e for e in known if e["program"] == done["best"]["program"]][-1]
        assert done["best"]["scores"] == last["scores"]
        assert [e["program"] for e in known if e["event"] == "best"][-1] == done["best"]["program"]
        assert sum(done["outcomes"].values()) == 4
        assert set(done["outcomes"]) <= set(Tag)

    def test_candidates_carry_their_outcome(self, finished):
        candidates = [e for e in finished[1] if e["event"] == "candidate"]
        assert [e["ordinal"] for e in candidates] == [0, 1, 2, 3]
        assert (candidates[0]["operator"], candidates[0]["outcome"]["tag"]) == ("seed", "ok")

    def test_the_first_line_has_the_metric_and_its_words(self, finished):
        started = finished[1][0]
        assert (started["metric"]["name"], started["objective"]) == ("exploitability", "advantage")
        assert started["tasks"] == ["kuhn2"]

    def test_a_finished_campaign_again_sums_up_the_same(self, invoke, finished):
        result = invoke(
            "run",
            "--games",
            "kuhn2",
            "--iterations",
            5,
            "--candidates",
            4,
            "--workers",
            1,
            "--db",
            finished[0],
            "--json",
        )
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout.splitlines()[-1]) == finished[1][-1]


class TestOtherCommands:
    def test_campaigns(self, ask, finished):
        (campaign,) = ask("results", "campaigns", "--db", finished[0])["campaigns"]
        assert (campaign["name"], campaign["status"], campaign["candidates"]) == (
            "cfr-symbolic-s0",
            "finished",
            4,
        )

    def test_top(self, ask, finished):
        found = ask("results", "top", "cfr-symbolic-s0", "-n", 2, "--db", finished[0])
        assert [p["rank"] for p in found["programs"]] == [1, 2]
        assert found["programs"][0]["program_id"] == finished[1][-1]["best"]["program"]

    def test_show(self, ask, finished):
        found = ask("results", "show", finished[1][-1]["best"]["program"][:10], "--db", finished[0])
        assert found["program"]["id"] == finished[1][-1]["best"]["program"]
        assert "class RegretAccumulator" in found["program"]["source"]
        # The seed leads, which is a baseline too: it was evaluated as both, and as a leader on further blocks.
        assert {one["plan"] for one in found["evaluations"]} <= {
            "search",
            *(f"refinement-{n}" for n in (1, 2, 3)),
        }
        for one in found["evaluations"]:
            assert {task["name"].partition("/")[0] for task in one["tasks"]} == {"kuhn2"}
        assert finished[1][-1]["best"]["scores"] in [one["scores"] for one in found["evaluations"]]

    def test_games(self, ask):
        found = ask("games", "kuhn2", "--compile")
        assert found["suites_version"] == 3
        assert found["games"][0]["terminals"] == 30
        assert found["games"][0]["game_string"] == "kuhn_poker(players=2)"
        assert (found["games"][0]["infosets"], found["games"][0]["pairs"]) == ([6, 6], [12, 12])
        assert (found["games"][0]["family"], found["games"][0]["tier"]) == ("kuhn", "train")
        assert found["games"][0]["compile_s"] > 0
        assert found["games"][0]["cached"] is True


@pytest.mark.parametrize("command", ["campaigns", "top cfr-symbolic-s0", "show cfr-symbolic-s0:1"])
def test_tables_for_people_name_what_is_stored(invoke, finished, command):
    result = invoke("results", *command.split(), "--db", finished[0])
    assert result.exit_code == 0
    assert "{" not in result.stdout.splitlines()[0]
    assert "cfr-symbolic-s0" in result.stdout or finished[1][-1]["best"]["program"][:10] in result.stdout
