"""Blocks: the tasks that a campaign measures programs on, fresh for every campaign and every further look.

Block 0 is what every candidate runs; block b > 0 is a leader's b-th refinement, and has what other seeds make anew:
neither exact tasks nor those that a campaign names with their seed, such as ``leduc2/generic-7``.
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
    """Return the plan of a block of a campaign; without tasks for `number` > 0 where seeds make none anew."""
    place = config.seed * BLOCKS + number
    return _renewed(domain, config, place) if number else _numbered(domain, config, place)


def fresh_block(domain: TaskDomain, config: CampaignConfig, seed: int) -> Plan:
    """Return a block that belongs to no campaign, from a seed such as one that is drawn when the search is over."""
    return _renewed(domain, config, FRESH + seed)


def _renewed(domain: TaskDomain, config: CampaignConfig, place: int) -> Plan:
    """Return what a plan has that the next one has not."""
    plan, fixed = (_numbered(domain, config, p) for p in (place, place + 1))
    return plan.only([task for task in plan.tasks if task not in fixed.tasks])


def _numbered(domain: TaskDomain, config: CampaignConfig, place: int) -> Plan:
    plan = partial(
        domain.plan,
        config.tasks or None,
        suite=config.suite,
        tiers=config.tiers or None,
        budget=config.budget,
    )
    usual = plan()
    width = 1 + max((task.seed for task in usual.tasks if task.seed is not None), default=-1)
    return plan(seeds=range(place * width, (place + 1) * width)) if width else usual
