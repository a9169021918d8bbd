"""`evolve config`: a file that says everything, and reads back as itself."""

import tomllib

import pytest
import typer

from evolve.cli.app import app
from evolve.config import CampaignConfig, notes, parse_config

FILE = """
tasks = ["kuhn2"]
model = "openai:a"
operator = "llm"
[population]
islands = 3
[llm]
base_urls = { "openai:a" = "http://localhost:1/v1" }
prices = { "openai:a" = { input = 0.25, output = 1e-7 } }
"""


@pytest.fixture
def printed(invoke):
    def run(*arguments):
        result = invoke("config", *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    return run


def test_has_every_field_of_the_defaults(printed):
    text = printed()
    assert parse_config(tomllib.loads(text)) == CampaignConfig()
    keys = [line.removeprefix("# ").partition(" =")[0] for line in text.splitlines() if " =" in line]
    assert {name.rpartition(".")[2] for name in notes()} - {"limits", "population", "llm"} <= set(keys)


def test_every_field_is_explained(printed):
    assert all(notes().values())
    assert "# Programs that an island keeps.\narchive = 24\n" in printed()


def test_the_file_with_options_over_it(printed, here):
    (here / "c.toml").write_text(FILE)
    options = ("--seed", 3, "--time", "2m", "--tasks", "leduc2,kuhn_poker(players=4)", "--db", "mine.db")
    found = parse_config(tomllib.loads(printed("c.toml", *options)))
    assert (found.seed, found.time_s, found.population.islands, found.db) == (3, 120.0, 3, "mine.db")
    assert found.tasks == ("leduc2", "kuhn_poker(players=4)")
    assert found.model == ("openai:a",)
    assert found.llm.prices["openai:a"].output == 1e-7


def test_what_it_prints_prints_itself(printed, here):
    (here / "c.toml").write_text(FILE)
    first = printed("c.toml", "--seed", 3)
    (here / "whole.toml").write_text(first)
    assert printed("whole.toml") == first


def test_json_has_the_same(ask, printed):
    found = ask("config", "--seed", 4)
    assert found["campaign"] == "cfr-symbolic-s4"
    assert parse_config(found["config"]) == parse_config(tomllib.loads(printed("--seed", 4)))


def test_takes_the_options_of_run():
    commands = typer.main.get_command(app).commands
    options = [{option for p in commands[name].params for option in p.opts} for name in ("run", "config")]
    assert options[0] - options[1] == {"--dry-run"}
    assert options[1] <= options[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.toml",), "expected a TOML file at none.toml"),
        (("--time", "soon"), "expected a duration"),
        (("wrong.toml",), "Did you mean 'population.islands'?"),
        (("--name", "a b"), "config: name:"),
    ],
)
def test_what_a_person_gets_wrong(invoke, here, arguments, said):
    (here / "wrong.toml").write_text("[population]\nisland = 3\n")
    result = invoke("config", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
