"""`evolve solve`: a curve, a policy that OpenSpiel takes, and a program's failure as a failure."""

import json
import signal
import subprocess
import sys
import time

import pytest
from open_spiel.python.algorithms.exploitability import nash_conv

import evolve
import seeds

SEED = seeds.source("cfr", "cfr_plus")


def test_prints_the_curve_and_saves_the_policy(invoke, here):
    result = invoke("solve", "kuhn_poker(players=3)", "--program", "dcfr", "-n", 20, "--save", "policy.npz")
    assert result.exit_code == 0, result.stderr
    assert "dcfr" in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines() if "e-0" in line] == [
        "1",
        "2",
        "3",
        "5",
        "6",
        "10",
        "20",
    ]
    assert "policy.npz, 48 information states" in result.stdout
    policy = evolve.load_policy(here / "policy.npz").tabular_policy()
    assert nash_conv(policy.game, policy) / 3 < 0.05


def test_gives_one_object(ask, here):
    found = ask("solve", "kuhn2", "-p", "cfr_plus", "-n", 10, "--save", "policy.json")
    assert (found["game"], found["game_string"]) == ("kuhn2", "kuhn_poker(players=2)")
    assert found["program"]["name"] == "cfr_plus"
    assert [k for k, _ in found["curve"]] == [1, 2, 3, 5, 10]
    assert found["curve"][-1] == [found["budget"], found["value"]]
    saved = evolve.load_policy(here / found["saved"])
    assert saved.about["exploitability"] == found["value"]
    tabular = saved.tabular_policy()
    assert nash_conv(tabular.game, tabular) / 2 == pytest.approx(found["value"], abs=1e-9)


def test_takes_a_simultaneous_game_by_turns(ask):
    game = "goofspiel(imp_info=True,num_cards=3,players=2,points_order=descending)"
    found = ask("solve", game, "-p", "cfr_plus", "-n", 2, "--in-process")
    assert found["game_string"].startswith("turn_based_simultaneous_game(")
    assert found["isolation"] == "none"
    assert found["saved"] is None


def test_a_checkpoint_continues_where_it_stood(ask, invoke, here):
    whole = ask("solve", "leduc2", "-p", "dcfr", "-n", 60)
    first = ask("solve", "leduc2", "-p", "dcfr", "-n", 30, "--checkpoint", "solver.npz")
    assert [k for k, _ in first["curve"]] == [1, 2, 3, 5, 9, 10, 20, 30]
    then = ask("solve", "leduc2", "-p", "dcfr", "-n", 60, "--checkpoint", "solver.npz")
    assert then["curve"] == [[k, value] for k, value in whole["curve"] if k > 30]
    again = ask("solve", "leduc2", "-p", "dcfr", "-n", 60, "--checkpoint", "solver.npz")
    assert again["curve"] == [[60, whole["value"]]]
    result = invoke("solve", "leduc2", "-p", "cfr_plus", "-n", 60, "--checkpoint", "solver.npz")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected one of the same program; solver.npz is of another." in result.stderr


def test_a_random_game_is_solved_and_its_policy_is_openspiels(ask, here):
    found = ask("solve", "random-3", "-p", "dcfr", "-n", 50, "--save", "policy.npz")
    assert found["game_string"] == "random-3"
    tabular = evolve.load_policy(here / "policy.npz").tabular_policy()
    assert nash_conv(tabular.game, tabular) / 2 == pytest.approx(found["value"], abs=1e-9)


def test_a_psro_program_leaves_populations_and_mixtures(ask, invoke, here):
    found = ask("solve", "kuhn2", "-p", "prd", "-n", 12, "--save", "run.npz")
    assert [k for k, _ in found["curve"]] == [3, 6, 10, 12]
    stored = evolve.load_populations(here / "run.npz")
    assert stored.about["exploitability"] == found["value"]
    assert stored.game_string == found["game_string"] == "kuhn_poker(players=2)"
    assert [len(own.mixture) for own in stored.populations] == [13, 13]
    result = invoke("solve", "kuhn2", "-p", "prd", "-n", 1, "--save", "run.npz")
    assert "Populations of 2 and 2 policies and their mixtures are in run.npz." in result.stdout


def test_a_failing_program_fails_the_command(invoke, here):
    (here / "broken.py").write_text(SEED.replace("return np.maximum(", "return 1 / 0 * np.maximum("))
    result = invoke("solve", "kuhn2", "--program", "broken.py", "--save", "policy.json")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "ended as exception: ZeroDivisionError" in line
    assert not (here / "policy.json").exists()


def test_a_stored_program_stays_in_the_sandbox(invoke, ask, finished):
    db, events = finished
    best = events[-1]["best"]["program"]
    result = invoke("solve", "kuhn2", "-p", best, "-n", 1, "--in-process", "--db", db)
    assert result.exit_code == 2
    assert "--unsafe-in-process" in result.stderr
    assert ask("solve", "kuhn2", "-p", best, "-n", 1, "--db", db)["isolation"] != "none"
    found = ask("solve", "kuhn2", "-p", best, "-n", 1, "--unsafe-in-process", "--db", db)
    assert found["isolation"] == "none"


def interrupted(here, *more, number=signal.SIGINT):
    """A run that would take hours, ended by a signal once it is under way: (exit code, stdout, stderr)."""
    # The program says where it is by making a file, which is how the test knows when.
    source = SEED.replace(
        "class RegretAccumulator", "open('begun', 'w').close()\n\n\nclass RegretAccumulator", 1
    )
    (here / "mine.py").write_text(source)
    code = "from evolve.cli.app import main; main()"
    command = ["solve", "leduc2", "-p", "mine.py", "-n", "100000000", "--in-process", *more]
    with subprocess.Popen(
        [sys.executable, "-c", code, *command],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (here / "begun").exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_was_done(here, number):
    code, output, errors = interrupted(here, "--save", "policy.json", "--json", number=number)
    assert code == 130
    found = json.loads(output)
    saved = evolve.load_policy(here / "policy.json")
    assert found["saved"] == "policy.json"
    assert saved.about["iterations"] == found["budget"] == found["curve"][-1][0] < 100_000_000
    tabular = saved.tabular_policy()
    assert nash_conv(tabular.game, tabular) / 2 == pytest.approx(found["value"], abs=1e-9)
    (line,) = errors.splitlines()
    assert f"stopped after {found['budget']} of 100000000 iterations" in line
    assert "what was done is in policy.json" in line
    assert "solve leduc2 -p mine.py -n 100000000" in line


def test_ctrl_c_keeps_the_solver(ask, here):
    code, _, errors = interrupted(here, "--checkpoint", "solver.npz")
    assert code == 130
    assert "To continue:" in errors
    done = int(errors.partition("stopped after ")[2].split()[0])
    more = ask(
        "solve", "leduc2", "-p", "mine.py", "-n", done + 5, "--in-process", "--checkpoint", "solver.npz"
    )
    assert (more["budget"], len(more["curve"])) == (done + 5, 1)


def test_ctrl_c_without_a_file_shows_the_curve(here):
    code, output, errors = interrupted(here)
    assert code == 130
    assert "exploitability" in output
    assert "nothing was kept: --save FILE does" in errors
    assert not list(here.glob("*.json"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("kuhm2", "-p", "cfr"), "Did you mean 'kuhn2'?"),
        (("kuhn2", "-p", "cfr_pluss"), "Did you mean 'cfr_plus'?"),
        (("kuhn2", "-p", "cfr", "--save", "policy.txt"), "ends in .json or .npz"),
        (("kuhn2", "-p", "cfr", "--save", "none/policy.json"), "existing folder"),
        (("kuhn2", "-p", "cfr", "--checkpoint", "solver.json"), "ends in .npz"),
        (("random", "-p", "cfr"), "expected random-<seed>"),
        (("liars_dice_ir", "-p", "cfr"), "perfect recall"),
        (("kuhn2", "-p", "nash", "--save", "policy.json"), "ends in .npz"),
        (("kuhn2", "-p", "nash", "-n", 1000), "expected fewer than 1000 iterations"),
        (("kuhn2", "-p", "nash", "--checkpoint", "solver.npz"), "expected a CFR program"),
    ],
)
def test_what_a_person_gets_wrong(invoke, here, arguments, said):
    result = invoke("solve", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert list(here.iterdir()) == []
