"""`--json`: standard output holds JSON and nothing else, in the shapes that other programs rely on."""

import json

import pytest

import seeds
from evaluators.records import Tag
from sandbox.base import Level

SEED = seeds.source("cfr", "cfr_plus")
QUICK = ("--games", "kuhn2", "--iterations", 3)


@pytest.fixture
def failing(here):
    """A program that works on Kuhn poker with two players and fails with three."""
    path = here / "failing.py"
    old = "return info_states.normalize("
    path.write_text(SEED.replace(old, f"assert len(cfr_regrets) == 12\n        {old}"))
    return path


class TestEvaluate:
    def test_gives_one_object_of_the_documented_shape(self, ask):
        found = ask("evaluate", "cfr_plus", "--games", "kuhn2,kuhn3", "--iterations", 12)
        assert found["domain"] == "cfr"
        assert found["program"]["name"] == "cfr_plus"
        assert len(found["program"]["id"]) == 64
        assert (found["outcome"], found["message"]) == ("ok", "")
        assert found["objectives"]["decades"] > 0
        assert all(isinstance(value, float) for value in found["objectives"].values())
        for game, name in zip(found["games"], ["kuhn2", "kuhn3"], strict=True):
            assert game["name"] == name
            assert game["game_string"] == f"kuhn_poker(players={name[-1]})"
            assert game["iterations"] == 12
            assert [k for k, _ in game["curve"]] == [1, 2, 5, 10, 12]
            assert game["curve"][-1][1] == game["exploitability"]
            assert game["cpu_s"] >= 0
            assert game["wall_s"] > 0

    def test_runs_in_the_sandbox(self, ask):
        found = ask("evaluate", "cfr_plus", *QUICK)
        assert Level.parse(found["isolation"]) >= Level.RLIMITS

    def test_in_process_gives_the_same_numbers(self, ask):
        inside, beside = ask("evaluate", "cfr", *QUICK), ask("evaluate", "cfr", *QUICK, "--in-process")
        assert beside["isolation"] == "none"
        assert inside["games"][0]["curve"] == beside["games"][0]["curve"]

    def test_takes_a_path(self, ask, here):
        (here / "mine.py").write_text(SEED)
        found = ask("evaluate", "mine.py", *QUICK, "--in-process")
        assert found["program"]["name"] == "mine"
        assert found["program"]["id"] == ask("evaluate", "cfr_plus", *QUICK, "--in-process")["program"]["id"]

    def test_takes_the_beginning_of_a_stored_id(self, ask, finished):
        db, events = finished
        found = ask("evaluate", events[-1]["best"]["program"][:12], *QUICK, "--db", db)
        assert found["program"]["id"] == events[-1]["best"]["program"]
        assert found["outcome"] == "ok"

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
        found = ask("evaluate", "cfr", "--games", f"{string},kuhn2", "--iterations", 2, "--in-process")
        assert [game["name"] for game in found["games"]] == ["kuhn2", "goofspiel3"]

    def test_takes_a_tier(self, ask):
        found = ask("evaluate", "cfr", *QUICK, "--tier", "exact,scale", "--in-process")
        assert [g["name"] for g in found["games"]] == ["kuhn2", "kuhn2/scale-0.1", "kuhn2/scale-10"]

    def test_takes_a_suite(self, ask):
        found = ask("evaluate", "cfr", "--suite", "train", "--iterations", 1, "--in-process")
        assert {g["name"] for g in found["games"]} == {"kuhn3", "leduc2", "goofspiel4", "liars_dice5"}

    def test_a_program_that_fails_still_has_its_object(self, ask, failing):
        found = ask("evaluate", failing, "--games", "kuhn2,kuhn3", "--iterations", 3, code=1)
        assert found["outcome"] == "exception"
        assert found["message"].startswith("kuhn3: ")
        assert found["objectives"] == {}
        assert [game["name"] for game in found["games"]] == ["kuhn2"]

    def test_what_a_program_prints_is_in_its_log_alone(self, ask, here):
        (here / "loud.py").write_text("print('hello')\n" + SEED)
        for more in ([], ["--in-process"]):
            assert "hello" in ask("evaluate", "loud.py", *QUICK, *more)["log"]


class TestRun:
    def test_every_line_is_an_object_of_this_schema(self, finished):
        assert all(event["schema_version"] == 1 for event in finished[1])

    def test_events_come_in_order(self, finished):
        kinds = [event["event"] for event in finished[1]]
        assert kinds[0] == "started"
        assert kinds[-1] == "done"
        assert [k for i, k in enumerate(kinds) if i == 0 or kinds[i - 1] != k] == [
            "started", "baseline", "candidate", "look", "done",
        ]  # fmt: skip

    def test_the_last_line_sums_up(self, finished):
        done = finished[1][-1]
        assert done["campaign"] == "cfr-symbolic-s0"
        assert done["candidates"] == 4
        assert set(done["best"]) == {"program", "objectives"}
        assert sum(done["outcomes"].values()) == 4
        assert set(done["outcomes"]) <= set(Tag)

    def test_candidates_carry_their_outcome(self, finished):
        candidates = [e for e in finished[1] if e["event"] == "candidate"]
        assert [e["ordinal"] for e in candidates] == [0, 1, 2, 3]
        assert (candidates[0]["operator"], candidates[0]["outcome"]) == ("seed", "ok")

    def test_a_finished_campaign_again_sums_up_the_same(self, invoke, finished):
        result = invoke(
            "run", "--games", "kuhn2", "--iterations", 5, "--candidates", 4, "--db", finished[0], "--json"
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
        assert found["evaluations"][0]["curves"]

    def test_games(self, ask):
        found = ask("games", "kuhn2")
        assert found["games"][0]["terminals"] == 30
        assert found["games"][0]["game_string"] == "kuhn_poker(players=2)"
        assert (found["games"][0]["infosets"], found["games"][0]["sequences"]) == ([6, 6], [13, 13])
        assert found["games"][0]["compile_s"] > 0
        assert found["games"][0]["cached"] is True

    def test_baselines(self, ask):
        found = ask("baselines", *QUICK, "--workers", 1)
        assert [p["program"]["name"] for p in found["baselines"]] == list(seeds.names("cfr"))
        assert {p["outcome"] for p in found["baselines"]} == {"ok"}


@pytest.mark.parametrize("command", ["campaigns", "top cfr-symbolic-s0", "show cfr-symbolic-s0:1"])
def test_tables_for_people_name_what_is_stored(invoke, finished, command):
    result = invoke("results", *command.split(), "--db", finished[0])
    assert result.exit_code == 0
    assert "{" not in result.stdout.splitlines()[0]
    assert "cfr-symbolic-s0" in result.stdout or finished[1][-1]["best"]["program"][:10] in result.stdout
