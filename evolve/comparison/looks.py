"""Looks at held-out tasks by commands that belong to no campaign: each is recorded before a program runs there."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence

from evaluators.contract import Plan
from evaluators.records import Task
from evaluators.task_domain import TaskDomain
from evolve.programs import Program
from results.records import LookRecord
from results.store import open_store

SUITES = ("test", "sealed")
"""Suites that no search may see."""


def held_out_tasks(domain: TaskDomain, plan: Plan) -> list[Task]:
    """Return the tasks of a plan that are held out: of groups that no search has, but a suite of `SUITES` or a draw."""
    suites = [domain.tasks(suite, None, None, None) for suite in SUITES if suite in domain.suites]
    hidden = {task.group for tasks in (*suites, domain.draw(0)) for task in tasks}
    searched = {task.group for task in domain.tasks("train", None, None, None)}
    return [task for task in plan.tasks if task.group in hidden - searched]


def record_looks(
    db: str, domain: TaskDomain, programs: Sequence[Program], plans: Iterable[Plan], *, command: str
) -> list[str]:
    """Store that programs are run on held-out tasks; return the groups of these, none where all tasks are searched on.

    Raises:
        StoreError: the database cannot be written, so that nobody looks.
    """
    tasks = [task for plan in plans for task in held_out_tasks(domain, plan)]
    if tasks:
        looks = [
            LookRecord(
                domain=domain.name,
                suites_version=domain.suites_version,
                program_id=one.id,
                program=one.name,
                tasks=tuple((task.name, task.budget) for task in tasks),
                command=command,
                looked_by=_user(),
            )
            for one in programs
        ]
        with open_store(db) as store:
            store.record_looks(looks)
    return list(dict.fromkeys(task.group for task in tasks))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
