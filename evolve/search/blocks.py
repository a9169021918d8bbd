"""Blocks: the tasks that a campaign measures programs on, fresh for every campaign and every further look.

Block 0 is what every candidate runs; block b > 0 is a leader's b-th refinement, and has what block 0 has seeds for.
Seeds derive from (campaign seed, b), so that no two blocks share one, and a campaign can be repeated.
"""

from __future__ import annotations

from functools import partial

from evaluators.contract import Plan
from evaluators.task_domain import TaskDomain
from evolve.config import CampaignConfig

BLOCKS = 1000
"""Of one campaign seed, before the seeds of the next begin."""

FRESH = BLOCKS << 32
"""Where blocks that belong to no campaign begin: campaign seeds have 32 bits."""


def block(domain: TaskDomain, config: CampaignConfig, number: int) -> Plan:
    """Return the plan of a block of a campaign; without tasks for `number` > 0 where none has a seed."""
    return _numbered(domain, config, config.seed * BLOCKS + number, only_seeded=number > 0)


def fresh_block(domain: TaskDomain, config: CampaignConfig, seed: int) -> Plan:
    """Return a block that belongs to no campaign, from a seed such as one that is drawn when the search is over."""
    return _numbered(domain, config, FRESH + seed, only_seeded=True)


def _numbered(domain: TaskDomain, config: CampaignConfig, place: int, *, only_seeded: bool) -> Plan:
    plan = partial(
        domain.plan,
        config.tasks or None,
        suite=config.suite,
        tiers=config.tiers or None,
        budget=config.budget,
    )
    usual = plan()
    width = 1 + max((task.seed for task in usual.tasks if task.seed is not None), default=-1)
    numbered = plan(seeds=range(place * width, (place + 1) * width)) if width else usual
    return (
        numbered.only([task for task in numbered.tasks if task.seed is not None]) if only_seeded else numbered
    )
