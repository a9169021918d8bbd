"""Blocks: fresh tasks for every campaign and every further look, the same ones whenever it is repeated."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.cfr.domain import DOMAIN as CFR
from evaluators.contract import TaskError
from evaluators.games.loading import load
from evaluators.psro.domain import DOMAIN as PSRO
from evaluators.testing import FakeDomain
from evolve.config import CampaignConfig
from evolve.search.blocks import block, fresh_block

# The limits of PSRO depend on how large a game is: it draws and compiles those of every block.
NOISY = FakeDomain("toy", noise=0.1, samples=3)
DOMAINS = {domain.name: domain for domain in (CFR, PSRO, NOISY)}

seeds = st.integers(0, 40) | st.integers(0, 2**32 - 1)
numbers = st.integers(0, 12)


def config(domain, seed=0, **options):
    return CampaignConfig(**({"domain": domain.name, "seed": seed} | options))


def keys(plan):
    """Seeded tasks as blocks may share them with nobody: by what is drawn from their seed."""
    return {(task.group, task.tier, task.seed) for task in plan.tasks if task.seed is not None}


def shape(plan):
    return Counter((task.group, task.tier, task.budget, task.family) for task in plan.tasks)


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("name", DOMAINS)
@given(a=st.tuples(seeds, numbers), b=st.tuples(seeds, numbers))
def test_two_blocks_share_no_task_and_the_same_one_is_the_same(name, a, b):
    domain = DOMAINS[name]
    one, other = (block(domain, config(domain, seed), number) for seed, number in (a, b))
    if a == b:
        assert one == other
    else:
        assert not keys(one) & keys(other)


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("name", DOMAINS)
@given(campaign=st.tuples(seeds, numbers), own=st.integers(0, 2**20 - 1), other=st.integers(0, 2**20 - 1))
def test_a_fresh_block_is_no_campaigns(name, campaign, own, other):
    domain = DOMAINS[name]
    seed, number = campaign
    fresh = keys(fresh_block(domain, config(domain, seed), own))
    assert not fresh & keys(block(domain, config(domain, seed), number))
    assert not fresh & keys(block(domain, config(domain, own), number))
    assert (fresh == keys(fresh_block(domain, config(domain), other))) == (own == other)


@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("name", DOMAINS)
@given(seed=seeds, number=numbers)
def test_every_block_has_as_many_tasks_of_each_kind(name, seed, number):
    domain = DOMAINS[name]
    usual = domain.plan()
    assert shape(block(domain, config(domain, seed), number)) == shape(usual)
    assert shape(fresh_block(domain, config(domain), seed % 2**20)) == shape(usual)
    assert domain.score_names(block(domain, config(domain, seed), number)) == domain.score_names(usual)


def test_block_0_has_the_exact_tasks_and_no_other_block():
    chosen = config(CFR, tasks=("kuhn2", "leduc2"), tiers=("exact", "generic", "jitter"), budget=5)
    plans = [block(CFR, chosen, number) for number in (0, 1, 2)]
    exact = [[task.name for task in plan.tasks if task.seed is None] for plan in plans]
    assert [sorted(names) for names in exact] == [["kuhn2", "leduc2"], [], []]
    for tier in ("generic", "jitter"):
        counts = [Counter(t.group for t in plan.tasks if t.tier == tier) for plan in plans]
        assert counts[0] == counts[1] == counts[2]
    assert {task.budget for plan in plans for task in plan.tasks} == {5}


def test_what_has_no_seed_has_one_block():
    exact = FakeDomain("toy")
    assert block(exact, config(exact, 7), 0) == exact.plan()
    assert block(exact, config(exact, 7), 1).tasks == ()
    assert fresh_block(exact, config(exact), 7).tasks == ()


@pytest.mark.parametrize(("options", "groups"), [({"tasks": ("a",)}, {"a"}), ({"suite": "test"}, {"c"})])
def test_a_block_is_of_the_campaigns_tasks(options, groups):
    plan = block(NOISY, config(NOISY, 1, **options), 2)
    assert {task.group for task in plan.tasks} == groups


@pytest.mark.parametrize("seed", [0, 3])
def test_tasks_that_are_named_with_their_seeds_are_of_block_0_alone(seed):
    names = ("random-9", "goofspiel4/generic-8", "leduc_poker(players=2)/generic-17", "kuhn2/exact")
    chosen = config(CFR, seed, tasks=(*names, "liars_dice4"), budget=5)
    plan = block(CFR, chosen, 0)
    own = [task.name for task in plan.tasks if task.group != "liars_dice4"]
    assert sorted(own) == ["goofspiel4/generic-8", "kuhn2", "leduc2/generic-17", "random-9"]
    for later in (block(CFR, chosen, 1), block(CFR, chosen, 2), fresh_block(CFR, chosen, 5)):
        assert {task.group for task in later.tasks} == {"liars_dice4"}
        assert not keys(later) & keys(plan)
    alone = config(CFR, seed, tasks=names, budget=5)
    assert block(CFR, alone, 1).tasks == fresh_block(CFR, alone, 5).tasks == ()


def test_one_task_of_a_noisy_domain_by_its_name():
    chosen = config(NOISY, 2, tasks=("a/1", "b"))
    assert {t.name for t in block(NOISY, chosen, 0).tasks if t.group == "a"} == {"a/1"}
    assert {t.group for t in block(NOISY, chosen, 1).tasks} == {"b"}


def test_a_campaign_on_unknown_tasks_is_refused():
    with pytest.raises(TaskError, match="expected a name; got 'd'"):
        block(NOISY, config(NOISY, tasks=("d",)), 0)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_the_games_of_far_blocks_can_be_played(seed):
    """A seed is no index: the last campaign's payoffs and drawn games are as good as the first one's."""
    tasks = block(CFR, config(CFR, seed), 3).tasks
    chosen = {task.group: task for task in tasks if task.group in ("random", "river60", "blotto10")}
    for task in chosen.values():
        game, _, variant = task.name.partition("/")
        assert load(game, variant or "exact").uniform_exploitability > 0
