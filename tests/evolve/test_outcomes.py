"""Hostile and broken programs in the real process sandbox: one outcome for each, and a message that helps."""

import asyncio
from dataclasses import replace

import pytest

import seeds
from evaluators.records import LIMIT_TAGS, Provenance, Tag
from evaluators.registry import get_domain
from evolve.config import CampaignConfig
from evolve.evaluation.local import LocalExecutor
from evolve.evaluation.service import EvaluationService
from evolve.operators.base import ScriptedOperator
from evolve.operators.crossover import CrossoverOperator
from evolve.operators.symbolic import SymbolicOperator
from evolve.prompting.prompter import Prompter
from evolve.search.campaign import Campaign, Setup
from results.records import CampaignSpec
from results.store import open_store
from sandbox.base import Limits
from sandbox.process import ProcessSandbox

SEED = seeds.source("cfr", "cfr_plus")
LIMITS = Limits(cpu_s=0.4, wall_s=20.0, call_wall_s=5.0, memory_mib=128)
SECRET = "hunter2-in-a-file"

REGRET = "return np.maximum(info_states.cumulative_regret + cfr_regrets, 0.0)"
POLICY = "return info_states.normalize(info_states.cumulative_regret)"
AVERAGE = (
    "return info_states.cumulative_policy + weight * info_states.per_action(reach_prob) * info_state_policy"
)


def changed(old, *new):
    """CFR+ with one statement replaced by others."""
    assert old in SEED
    return SEED.replace(old, "\n        ".join(new))


PROGRAMS = {
    "endless loop": (changed(POLICY, "while True: pass"), Tag.CPU_LIMIT, "kuhn2"),
    "memory bomb": (changed(POLICY, "x = [np.ones(10**6) for _ in range(10**4)]", POLICY), Tag.MEMORY, "kuhn2"),
    "growing state": (
        changed(
            REGRET, "self.kept = [*getattr(self, 'kept', []), np.ones(4 * 10**6)]", REGRET
        ),
        Tag.MEMORY,
        "kuhn2",
    ),
    "segmentation fault": (
        changed(POLICY, "import os, signal", "os.kill(os.getpid(), signal.SIGSEGV)", POLICY),
        Tag.CRASH,
        "kuhn2",
    ),
    "wrong shape": (changed(POLICY, "return cfr_regrets[:-1]"), Tag.INVALID, "get_updated_current_policy"),
    "wrong shape of regrets": (changed(REGRET, "return 0.0"), Tag.INVALID, "update_accumulate_regret"),
    "list of lists": (
        changed(POLICY, "return [[1.0], [0.5, 0.5]]"),
        Tag.INVALID,
        "get_updated_current_policy",
    ),
    "nothing": (changed(REGRET, "pass"), Tag.INVALID, "update_accumulate_regret"),
    "not a number": (
        changed(POLICY, "return cfr_regrets * np.nan"),
        Tag.INVALID,
        "get_updated_current_policy",
    ),
    "division by zero": (
        changed(POLICY, "return cfr_regrets / (0.0 * cfr_regrets)"),
        Tag.INVALID,
        "get_updated_current_policy",
    ),
    "negative policy": (
        changed(POLICY, "return 2.0 - " + POLICY.removeprefix("return ") + " * 3.0"),
        Tag.INVALID,
        "get_updated_current_policy",
    ),
    "not normalised": (
        changed(POLICY, "return 0.9 * " + POLICY.removeprefix("return ")),
        Tag.INVALID,
        "get_updated_current_policy",
    ),
    "negative average": (
        changed(AVERAGE, "return -" + AVERAGE.removeprefix("return ")),
        Tag.INVALID,
        "update_accumulate_policy",
    ),
    "exception": (changed(POLICY, "return {}[iteration_number]"), Tag.EXCEPTION, "KeyError"),
    "at import": ("raise SystemExit(0)\n" + SEED, Tag.EXCEPTION, "kuhn2"),
    "endless output": (
        changed(POLICY, "while True: print('x' * 10**5)"),
        Tag.OUTPUT_LIMIT,
        "kuhn2",
    ),
    "other library": (changed(POLICY, "import pyspiel", POLICY), Tag.EXCEPTION, "pyspiel"),
    "integers": (
        changed(POLICY, "first = np.r_[True, info_states.per_action(np.arange(len(info_states.num_actions)))[1:] !="
                " info_states.per_action(np.arange(len(info_states.num_actions)))[:-1]]", "return first.astype(int)"),
        Tag.OK,
        "",
    ),
    "lists": (changed(POLICY, POLICY + ".tolist()"), Tag.OK, ""),
}  # fmt: skip


def reader(path):
    return changed(POLICY, f"raise ValueError(open({str(path)!r}).read())")


@pytest.fixture(scope="module")
def domain():
    return get_domain("cfr")


@pytest.fixture(scope="module")
def plan(domain):
    return replace(domain.plan(["kuhn2"], tiers=("exact",), budget=6), limits=LIMITS)


@pytest.fixture(scope="module")
def runner():
    with ProcessSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


@pytest.mark.parametrize("name", PROGRAMS)
def test_ends_as_it_should_and_says_where(domain, plan, runner, name):
    source, tag, said = PROGRAMS[name]
    outcome = domain.evaluate(source, plan, runner).outcome
    assert outcome.tag is tag, outcome.message
    assert said in outcome.message
    if tag is not Tag.OK:
        assert "kuhn2" in outcome.message


def test_sleeping_is_a_timeout(domain, plan, runner):
    source = changed(POLICY, "import time", "time.sleep(60)")
    limits = replace(LIMITS, call_wall_s=0.3)
    outcome = domain.evaluate(source, replace(plan, limits=limits), runner).outcome
    assert outcome.tag is Tag.TIMEOUT
    assert outcome.message.startswith("kuhn2: ")


def test_a_file_cannot_be_read(domain, plan, runner, secret):
    outcome = domain.evaluate(reader(secret), plan, runner).outcome
    assert outcome.tag is Tag.EXCEPTION
    assert "PermissionError" in outcome.message or "FileNotFoundError" in outcome.message
    assert SECRET not in outcome.message


def test_an_outcome_other_than_ok_has_no_scores_but_what_finished(domain, runner):
    plan = replace(domain.plan(["kuhn2", "goofspiel3"], tiers=("exact",), budget=4), limits=LIMITS)
    last = max(plan.tasks, key=plan.tasks.index)
    # Player 0 has another number of pairs in each game.
    first_pairs = {"kuhn2": 12, "goofspiel3": 9}
    source = changed(POLICY, f"assert len(cfr_regrets) == {first_pairs[plan.tasks[0].group]}", POLICY)
    evaluation = domain.evaluate(source, plan, runner)
    assert evaluation.outcome.tag is Tag.EXCEPTION
    assert evaluation.outcome.message.startswith(last.name)
    assert evaluation.scores == {}
    assert [r.task for r in evaluation.results] == [plan.tasks[0]]


def campaign(domain, plan, config, operator, db, name, *, seed=None):
    """Run a campaign in real workers; `operator` may be the programs that it hands out."""
    spec = CampaignSpec(
        name=name, domain=domain.name, metric=domain.metric, seed=0, objective="decades", plan="search",
        config=config.model_dump(mode="json"), versions={}, machine={},
    )  # fmt: skip
    operator = ScriptedOperator(operator) if isinstance(operator, list) else operator
    seed, demanded = seed or domain.seed_source(domain.seed), Provenance("none")
    # What the end of a campaign compares with: not every seed on a whole block.
    small = {"tasks": ("kuhn2",), "budget": 4, "baselines": (domain.seed,), "refinements": 0}
    config = config.model_copy(update=small)
    setup = Setup(config, domain, plan, (seed,), {}, operator, CrossoverOperator(), demanded)
    with (
        LocalExecutor(2) as executor,
        open_store(db) as store,
        store.begin_campaign(spec) as writer,
    ):
        service = EvaluationService(domain.name, executor, 2)
        return asyncio.run(Campaign(setup, writer, service, lambda event: None).run())


def test_a_campaign_goes_on_past_all_of_them(domain, plan, contents, tmp_path, secret):
    """Each is proposed in turn, with a working program after it; none that failed is ever a parent."""
    hostile = [source for source, *_ in PROGRAMS.values()] + [reader(secret)]
    expected = [tag for _, tag, _ in PROGRAMS.values()] + [Tag.EXCEPTION]
    working = [SEED.replace("+ 1", f"+ {k + 2}") for k in range(len(hostile))]
    sources = [source for pair in zip(hostile, working, strict=True) for source in pair]
    config = CampaignConfig(candidates=len(sources) + 1, attempts=1, crossover=0.0, workers=2, lookahead=4)
    db = tmp_path / "evolve.db"
    campaign(domain, plan, config, sources, db, "hostile")
    rows = [candidate for candidate, *_ in contents(db, "hostile")]
    assert [row.outcome.tag for row in rows[1::2]] == expected
    assert {row.outcome.tag for row in rows[2::2]} == {Tag.OK}
    ok = {row.program_id for row in rows if row.outcome.ok}
    assert {parent for row in rows for parent in row.parents} <= ok
    assert {Tag.CPU_LIMIT, Tag.MEMORY} <= set(expected) & LIMIT_TAGS


# Programs that ended a campaign once, each by a fault of ours; the same command ended again each time.

PSRO_SEED = seeds.source("psro", "uniform")
_CALLBACK = "callback = type(game).deviation_payoffs.__globals__['callback']"


def asking(player):
    """The uniform meta-strategy, which asks for payoffs of a player behind the view of the game."""
    method = "    def get_meta_strategy(self, game, policy_sets, meta_games):\n"
    assert method in PSRO_SEED
    question = f"        {_CALLBACK}\n        callback('deviation_payoffs', ({player}), (np.ones(2),))\n"
    return PSRO_SEED.replace(method, method + question, 1)


DIGITS = "1" * 4400


def sum_of(terms):
    return " + ".join(f"{n}.5" for n in range(terms))


ENDED_A_CAMPAIGN = {
    "a signal without a name": (
        "cfr",
        changed(POLICY, "import os", "os.kill(os.getpid(), 40)", POLICY),
        {Tag.CRASH},
    ),
    "an integer of 4,400 digits": ("cfr", changed("iteration_number + 1", DIGITS), {Tag.REJECTED}),
    "a hexadecimal integer of 4,000 digits": (
        "cfr",
        changed("iteration_number + 1", "min(1, 0x" + "f" * 4000 + ")"),
        {Tag.REJECTED},
    ),
    "a backslash before an empty line": ("cfr", SEED + "\nx = 1 + \\\n\n", {Tag.REJECTED}),
    "a sum of 330 terms": (
        "cfr",
        changed("iteration_number + 1", f"iteration_number + 1 + 0 * ({sum_of(330)})"),
        {Tag.REJECTED},
    ),
    "a player that is no number": ("psro", asking("np.nan,"), {Tag.INVALID}),
    "an infinite player": ("psro", asking("np.inf,"), {Tag.INVALID}),
    "no player": ("psro", asking(""), {Tag.INVALID}),
}


@pytest.mark.parametrize("domain_name", ["cfr", "psro"])
def test_no_program_ends_a_campaign(domain_name, contents, tmp_path):
    """Each is told with an outcome of its own, and the campaign ends with its budget."""
    domain = get_domain(domain_name)
    plan = domain.plan(["kuhn2"], tiers=("exact",), budget=4)
    cases = {name: case for name, case in ENDED_A_CAMPAIGN.items() if case[0] == domain_name}
    sources = [source for _, source, _ in cases.values()]
    config = CampaignConfig(
        domain=domain_name, candidates=len(sources) + 1, attempts=1, crossover=0.0, workers=2, lookahead=4
    )
    db = tmp_path / "evolve.db"
    assert campaign(domain, plan, config, sources, db, "ended").status == "finished"
    rows = [candidate for candidate, *_ in contents(db, "ended")]
    for row, (name, (_, _, tags)) in zip(rows[1:], cases.items(), strict=True):
        assert row.outcome.tag in tags, (name, row.outcome)
        assert row.outcome.message


class Rendering(ScriptedOperator):
    """Renders the prompt that a model would be asked, and makes what the symbolic operators make of the parents."""

    num_parents = 2

    def __init__(self, prompter):
        super().__init__([])
        self.prompter, self.made = prompter, []

    async def propose(self, parents, context, rng):
        self.made.append(self.prompter.first(parents[0], context, rng)[1].text)
        if len(parents) > 1:
            self.made.append(self.prompter.merge(*parents, context)[1].text)
            return await CrossoverOperator().propose(parents, context, rng)
        return await SymbolicOperator().propose(parents, context, rng)


def test_the_longest_sum_that_is_a_program_can_be_a_parent(domain, plan, contents, tmp_path):
    """A sum of 330 terms ended a campaign once it was a parent; so many are rejected now, and these are not."""
    long = changed("iteration_number + 1", f"iteration_number + 1 + 0 * ({sum_of(90)})")
    config = CampaignConfig(candidates=6, attempts=1, crossover=0.0, workers=2, lookahead=1)
    operator = Rendering(Prompter(domain, families=plan.groups, objective="decades", examples=2))
    db = tmp_path / "evolve.db"
    summary = campaign(domain, plan, config, operator, db, "long", seed=long)
    assert summary.status == "finished"
    assert Tag.ENGINE_ERROR not in summary.outcomes
    rows = [candidate for candidate, *_ in contents(db, "long")]
    assert sum(rows[0].program_id in row.parents for row in rows) >= 1
    assert any("89.5" in text for text in operator.made)
