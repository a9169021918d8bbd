"""What a person gets wrong: one line with the nearest valid name, exit code 2, and nothing written."""

import shutil
import sqlite3
from pathlib import Path

import pytest

import seeds
from results.store import open_store

SEED = seeds.source("cfr", "cfr_plus")


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refused(invoke, here):
    """Runs a command that cannot work; gives its one line."""

    def run(*arguments):
        before = files(here)
        result = invoke(*arguments)
        assert result.exit_code == 2, result.stdout + result.stderr
        assert result.stdout == ""
        assert files(here) == before
        (line,) = result.stderr.splitlines()
        assert line.startswith("evolve: ")
        return line

    return run


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("evaluate cfr_plus --tasks kuhm3", "Did you mean 'kuhn3'?"),
        ("evaluate cfr_plus --games leduc_pokr(players=2)", "Did you mean 'leduc_poker'?"),
        ("evaluate cfr_plus --games kuhn_poker(players=99)", "OpenSpiel does not load"),
        ("evaluate cfr_plus --suite trian", "Did you mean 'train'?"),
        ("evaluate cfr_plus --tier exat", "Did you mean 'exact'?"),
        ("evaluate cfr_plus --domain cfx", "Did you mean 'cfr'?"),
        ("evaluate cfr_plus --domain ./none", "expected a folder with a file domain.py"),
        ("evaluate cfr_pluss", "Did you mean 'cfr_plus'?"),
        ("evaluate none.py", "No such file"),
        ("evaluate abcdef", "got 'abcdef'"),
        ("run --games kuhm3", "Did you mean 'kuhn3'?"),
        ("run --domain cfx", "Did you mean 'cfr'?"),
        ("run --operator symbolik", "Did you mean 'symbolic'?"),
        ("run --from cfr_pluss", "Did you mean 'cfr_plus'?"),
        ("run --min-isolation kernal", "expected one of none, rlimits, kernel"),
        ("run --time soon", "expected a duration such as 90s, 10m or 2h; got 'soon'"),
        ("run --time 0s", "expected a duration"),
        ("run none.toml", "No such file"),
        ("baselines --games kuhm3", "Did you mean 'kuhn3'?"),
        ("games kuhm3", "Did you mean 'kuhn3'?"),
        ("games --family ledux", "family: expected a name; got 'ledux'. Did you mean 'leduc'?"),
        ("games --suite sealeed", "suite: expected a name; got 'sealeed'. Did you mean 'sealed'?"),
        ("games leduc_poker(players=5)", "5,000,000 terminal histories; random play suggests at least 3"),
        ("games backgammon", "expected information state strings; the game has none"),
        ("promote some-campaign", "There is no database"),
        ("solve kuhn2 -p nash --checkpoint solver.npz", "--checkpoint: expected a CFR program"),
        ("results campaigns", "There is no database at results/data/evolve.db. Start a campaign with `evolve run`"),
        ("results top some-campaign", "There is no database"),
        ("results show abcdef", "There is no database"),
    ],
)  # fmt: skip
def test_says_what_was_expected(refused, command, said):
    assert said in refused(*command.split(" "))


def test_json_leaves_standard_output_empty(refused):
    assert "Did you mean 'kuhn3'?" in refused("evaluate", "cfr_plus", "--tasks", "kuhm3", "--json")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(:\n", "line 1: expected Python source; it does not parse"),
        ("x = 1\n", "expected a class RegretAccumulator; it has no class"),
        (SEED.replace("class PolicyAccumulator", "class Average"), "expected a class PolicyAccumulator"),
        (SEED.replace("reach_prob, counterfactual", "counterfactual"), "PolicyAccumulator.update_accumulate_policy"),
        (b"x = '\xff'\n", "it is not UTF-8 text"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["evaluate", "run --from"])
def test_a_file_that_is_no_program(refused, here, source, said, command):
    (here / "mine.py").write_bytes(source if isinstance(source, bytes) else source.encode())
    assert said in refused(*command.split(), "mine.py")


def test_an_unknown_key_names_the_nearest(refused, here):
    (here / "c.toml").write_text("[population]\nisland = 3\n")
    assert "unknown key 'population.island'. Did you mean 'population.islands'?" in refused("run", "c.toml")


def test_an_unknown_objective_names_the_nearest(refused, here):
    (here / "c.toml").write_text("objective = 'decade'\ntasks = ['kuhn2']\n")
    assert "Did you mean 'decades'?" in refused("run", "c.toml")


def test_an_unknown_campaign_names_the_nearest(refused, finished):
    line = refused("results", "top", "cfr-symbolic-s1", "--db", finished[0])
    assert "Did you mean 'cfr-symbolic-s0'?" in line


def test_an_unknown_objective_of_a_campaign(refused, finished):
    line = refused("results", "top", "cfr-symbolic-s0", "--objective", "decade", "--db", finished[0])
    assert "'decades'" in line


def test_a_candidate_that_never_was(refused, finished):
    assert "Its last one is 3." in refused("results", "show", "cfr-symbolic-s0:99", "--db", finished[0])


def test_a_changed_option_of_a_stored_campaign(refused, finished):
    line = refused("run", "--tasks", "kuhn2", "--budget", 6, "--candidates", 4, "--db", finished[0])
    assert "exists with budget = 5; this command says 6" in line


def test_a_lowered_budget(refused, finished):
    line = refused("run", "--games", "kuhn2", "--iterations", 5, "--candidates", 3, "--db", finished[0])
    assert "exists with candidates = 4; this command says 3" in line


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "results campaigns",
        "results show cfr-symbolic-s0:0",
        "evaluate abcdef",
    ],
)
def test_a_newer_database_keeps_every_byte(refused, here, command):
    path = here / "newer.db"
    with sqlite3.connect(path) as connection:
        for table in ("campaigns", "programs", "candidates"):
            connection.execute(f"CREATE TABLE {table} (id)")
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    line = refused(*command.split(), "--db", "newer.db")
    assert "schema 9999, which is newer than this program's" in line
    assert "Run `pip install --upgrade evolve-marl`" in line


def test_a_file_that_is_no_database(refused, here):
    (here / "notes.txt").write_text("not a database at all")
    assert "notes.txt is not a database" in refused("run", "--db", "notes.txt")


def test_the_environment_names_the_database(refused, monkeypatch):
    monkeypatch.setenv("EVOLVE_DB", "elsewhere.db")
    assert "There is no database at elsewhere.db" in refused("results", "campaigns")


def test_the_option_comes_before_the_environment(refused, monkeypatch):
    monkeypatch.setenv("EVOLVE_DB", "elsewhere.db")
    assert "There is no database at here.db" in refused("results", "campaigns", "--db", "here.db")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run --from dcfr,dcfr", "start: Value error, expected each of them once; got ['dcfr', 'dcfr']"),
        ("run --from dcfr,cfr_pluss", "got 'cfr_pluss'. Did you mean 'cfr_plus'?"),
        ("run --from dcfr,hs_pcfr_plus_30", "not told its horizon, as no candidate is; got hs_pcfr_plus_30"),
        ("run --seed 4294967296", "seed: Input should be less than 4294967296"),
        ("run --games kuhn2/generic-x", "expected generic-<seed> with a whole number from 0"),
    ],
)
def test_says_what_a_campaign_cannot_start_from(refused, command, said):
    assert said in refused(*command.split(" "))


@pytest.fixture
def of_the_old_ruler(here):
    """A database of the released schema 0003, whose scores are of the first version."""
    path = here / "old.db"
    shutil.copy(Path(__file__).parents[2] / "results" / "data" / "campaigns_0003.sqlite", path)
    open_store(path).close()
    return path


@pytest.mark.parametrize("candidates", [10, 12])
def test_a_campaign_of_an_older_ruler_is_not_continued(invoke, of_the_old_ruler, candidates):
    result = invoke(
        *("run", "--games", "kuhn2,leduc2", "--iterations", 50, "--candidates", candidates),
        *("--workers", 2, "--db", of_the_old_ruler),
    )
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "'cfr-symbolic-s0' was scored by version 1 of the ruler; this is version 2" in line
    assert "--from cfr-symbolic-s0:best --name NEW" in line


def test_a_campaign_of_an_older_ruler_stays_readable(invoke, of_the_old_ruler):
    for command in ("top cfr-symbolic-s0", "show cfr-symbolic-s0:best", "lineage cfr-symbolic-s0:best"):
        result = invoke("results", *command.split(), "--db", of_the_old_ruler)
        assert result.exit_code == 0, result.stderr
        assert result.stdout
    assert "decades" in invoke("results", "top", "cfr-symbolic-s0", "--db", of_the_old_ruler).stdout
