"""Configuration: one clear line for everything a person can get wrong, and what a continued campaign may change."""

import pytest

import seeds
from evaluators.psro.domain import DOMAIN
from evolve.config import CampaignConfig, check_continues, load_config, parse_config
from evolve.errors import ConfigError
from evolve.search.run import prepare


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "campaign.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(call):
    with pytest.raises(ConfigError) as caught:
        call()
    return caught.value


def test_no_file_and_no_option_is_a_campaign():
    config = load_config(None, {})
    assert (config.domain, config.operator, config.campaign_name) == ("cfr", "symbolic", "cfr-symbolic-s0")


def test_reads_a_file(toml):
    config = load_config(toml('tasks = ["kuhn2"]\nseed = 3\n[population]\nislands = 4\n'), {})
    assert (config.tasks, config.seed, config.population.islands) == (("kuhn2",), 3, 4)


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("", ()),
        ('model = ""', ()),
        ('model = "openai:a"', ("openai:a",)),
        ('model = ["openai:a", "gemini:b"]', ("openai:a", "gemini:b")),
    ],
)
def test_a_model_or_a_list_of_them(toml, text, models):
    config = load_config(toml(text), {})
    assert config.model == models
    assert parse_config(config.model_dump(mode="json")) == config


def test_a_stored_campaign_with_one_model_as_a_string_continues():
    before = stored(operator="llm", model="openai:a") | {"model": "openai:a"}
    check_continues(before, CampaignConfig(operator="llm", model=("openai:a",)))


def test_options_override_the_file(toml):
    config = load_config(toml("seed = 3\ncandidates = 9\n"), {"seed": 4, "candidates": None})
    assert (config.seed, config.candidates) == (4, 9)


@pytest.mark.parametrize("field", ["tasks", "games"])
def test_an_option_replaces_what_the_file_says_by_either_name(toml, field):
    path = toml(f'{field} = ["kuhn3"]\n')
    assert load_config(path, {"tasks": ["kuhn2"]}).tasks == ("kuhn2",)


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        ("candidate = 5", "candidate", "candidates"),
        ("lookahed = 5", "lookahed", "lookahead"),
        ("[population]\nisland = 5", "population.island", "population.islands"),
        ("[limits]\nmemory_mb = 5", "limits.memory_mb", "limits.memory_mib"),
    ],
)
def test_an_unknown_key_names_the_nearest(toml, text, key, meant):
    error = refused(lambda: load_config(toml(text), {}))
    assert error.message == f"config: unknown key {key!r}."
    assert error.hint == f"Did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"seed": "many"}, "seed"),
        ({"seed": -1}, "seed"),
        ({"candidates": 0}, "candidates"),
        ({"tasks": "kuhn2"}, "tasks"),
        ({"crossover": 1.5}, "crossover"),
        ({"model": ("openai:a", "openai:a")}, "model"),
        ({"llm": {"cost_exponent": 2}}, "llm.cost_exponent"),
        ({"llm": {"crossover": "llm"}}, "llm.crossover"),
        ({"name": "two words"}, "name"),
        ({"population": {"islands": 0}}, "population.islands"),
        ({"limits": {"cpu_s": 0}}, "limits.cpu_s"),
    ],
)
def test_a_wrong_value_names_its_key_and_what_came(values, key):
    error = refused(lambda: parse_config(values))
    assert error.message.startswith(f"config: {key}: ")
    assert "; got " in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize("text", ["seed = = 3", b"name = '\xff'", "seed = 1\nseed = 2"])
def test_a_file_that_is_no_toml_is_named(toml, text):
    path = toml(text)
    assert refused(lambda: load_config(path, {})).message.startswith(f"config: expected TOML in {path}; ")


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.toml"
    message = refused(lambda: load_config(path, {})).message
    assert message == f"config: expected a TOML file at {path}; No such file or directory."


def test_a_directory_is_no_file(tmp_path):
    assert "Is a directory" in refused(lambda: load_config(tmp_path, {})).message


def stored(**values):
    return CampaignConfig(**values).model_dump(mode="json")


def test_the_stored_form_is_the_configuration():
    config = CampaignConfig(tasks=("kuhn2",), limits={"cpu_s": 1.0}, population={"islands": 3})
    assert parse_config(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"candidates": 10}, {"candidates": 20}),
        ({"time_s": 10.0}, {"time_s": 20.0}),
        ({"time_s": 10.0}, {}),
        ({"workers": 1}, {"workers": 4}),
        ({"db": "a.db"}, {"db": "b.db"}),
        ({"min_isolation": "kernel"}, {"min_isolation": "rlimits"}),
    ],
)
def test_budgets_may_be_raised_and_the_machine_may_change(before, after):
    wanted = CampaignConfig(**after)
    assert check_continues(stored(**before), wanted) == wanted


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ({"candidates": 20}, {"candidates": 10}, "candidates"),
        ({"time_s": 20.0}, {"time_s": 10.0}, "time_s"),
        ({}, {"time_s": 10.0}, "time_s"),
        ({}, {"budget": 10}, "budget"),
        ({}, {"tasks": ("kuhn2",)}, "tasks"),
        ({}, {"refinements": 3}, "refinements"),
        ({}, {"lookahead": 4}, "lookahead"),
        ({"model": ("openai:a",)}, {"model": ("openai:a", "openai:b")}, "model"),
        ({}, {"llm": {"crossover": "model"}}, "llm"),
        ({}, {"llm": {"cost_exponent": 1.0}}, "llm"),
        ({}, {"limits": {"cpu_s": 1.0}}, "limits"),
        ({}, {"population": {"islands": 3}}, "population"),
        ({"name": "x"}, {"name": "x", "seed": 1}, "seed"),
    ],
)
def test_any_other_change_is_refused_by_name(before, after, field):
    error = refused(lambda: check_continues(stored(**before), CampaignConfig(**after)))
    assert f"exists with {field} = " in error.message
    assert "--name" in error.hint


@pytest.mark.parametrize("field", ["candidates", "time_s"])
def test_a_refused_budget_says_both_values(field):
    error = refused(lambda: check_continues(stored(**{field: 20}), CampaignConfig(**{field: 10})))
    assert "20" in error.message
    assert "10" in error.message


def test_a_search_is_compared_with_the_domains_baselines_unless_seeds_are_named():
    small = {"domain": "psro", "tasks": ["kuhn2"], "budget": 2}
    assert tuple(prepare(parse_config(small)).baselines) == DOMAIN.baselines
    named = prepare(parse_config(small | {"baselines": ["nash", "uniform"]})).baselines
    assert named == {name: seeds.source("psro", name) for name in ("nash", "uniform")}


def test_a_baseline_of_another_domain_is_refused():
    error = refused(lambda: prepare(parse_config({"tasks": ["kuhn2"], "baselines": ["dcfr", "uniform"]})))
    assert error.message == "baselines: expected names of seeds; got 'uniform'."


def test_a_search_does_not_start_from_a_seed_that_is_told_its_horizon(tmp_path):
    error = refused(lambda: prepare(parse_config({"start": "hs_pcfr_plus_30"})))
    assert error.message == (
        "start: expected a program that is not told its horizon, as no candidate is; got hs_pcfr_plus_30."
    )
    own = tmp_path / "own.py"
    own.write_text(seeds.source("cfr", "hs_pcfr_plus_30").replace("= 1000", "= 900"))
    assert "= 900" in prepare(parse_config({"start": str(own)})).founders[0]
