"""Any problem's tasks in place of games: metrics, standard errors, provenance of programs, held-out tasks."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# All campaigns until now measured this.
_METRIC = {
    "name": "exploitability",
    "label": "exploitability (NashConv / N)",
    "direction": "min",
    "scale": "log",
    "resolution": 0.1,
    "unit": 1.0,
    "task": "game",
    "budget": "iteration",
}
_FLOOR = 1e-6
"""Of the uniform policy's exploitability: scores were clipped at six decades below it."""

_LEVELS = ("none", "rlimits", "kernel", "kernel+ns", "docker", "gvisor")
_SANDBOXES = ("process", "docker", "gvisor")
_SEEDED = re.compile(r"(generic|jitter)-(\d+)")
_LABEL = re.compile(r"(.+)/((?:generic|jitter)-\d+|scale-[^/]+)")
"""What was played with perturbed payoffs."""


def upgrade() -> None:
    """Convert everything; old tables go."""
    _add_metrics()
    _add_provenance()
    _convert_scores()
    _extend_evaluations()
    _convert_curves()
    _convert_looks()


def _add_metrics() -> None:
    with _filled("campaigns", sa.Column("metric", sa.JSON())):
        campaigns = sa.table("campaigns", sa.column("metric", sa.JSON()))
        op.get_bind().execute(sa.update(campaigns).values(metric=_METRIC))


@contextmanager
def _filled(name: str, *columns: sa.Column[Any]) -> Iterator[None]:
    """New columns of a table, which the block fills: none of them is null afterwards."""
    for column in columns:
        op.add_column(name, column)
    yield
    with op.batch_alter_table(name) as batch:
        for column in columns:
            batch.alter_column(column.name, existing_type=column.type, nullable=False)


def _add_provenance() -> None:
    """Say of each program that a search made under what it was run: the strictest, where several made it."""
    op.add_column("programs", sa.Column("provenance", sa.JSON(), nullable=True))
    connection = op.get_bind()
    campaigns = sa.table("campaigns", sa.column("id"), sa.column("config", sa.JSON()))
    configs = {row.id: row.config for row in connection.execute(sa.select(*campaigns.c))}
    found: dict[str, dict[str, Any]] = {}
    for campaign_id, program_id in connection.exec_driver_sql(
        # The first candidate is what the search started from.
        "SELECT DISTINCT campaign_id, program_id FROM candidates WHERE ordinal > 0 AND program_id IS NOT NULL"
    ):
        provenance = _provenance(configs[campaign_id])
        found[program_id] = _stricter(found.get(program_id, provenance), provenance)
    if found:
        programs = sa.table("programs", sa.column("id"), sa.column("provenance", sa.JSON()))
        connection.execute(
            sa.update(programs)
            .where(programs.c.id == sa.bindparam("its_id"))
            .values(provenance=sa.bindparam("its_provenance", type_=sa.JSON())),
            [{"its_id": key, "its_provenance": provenance} for key, provenance in found.items()],
        )


def _provenance(config: dict[str, Any]) -> dict[str, Any]:
    default = "kernel" if config.get("operator") == "llm" else "rlimits"
    limits = config.get("limits") or {}
    return {
        "minimum": config.get("min_isolation") or default,
        "sandbox": config.get("sandbox") or "process",
        "limits": {name: limit for name, limit in limits.items() if limit is not None},
    }


def _stricter(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    limits = one["limits"], other["limits"]
    return {
        "minimum": max(one["minimum"], other["minimum"], key=_LEVELS.index),
        "sandbox": max(one["sandbox"], other["sandbox"], key=_SANDBOXES.index),
        "limits": {name: min(of[name] for of in limits if name in of) for name in {**limits[0], **limits[1]}},
    }


def _convert_scores() -> None:
    """Give scores a standard error; those of stages are left behind for `_extend_evaluations`."""
    op.rename_table("scores", "old_scores")
    if op.get_context().dialect.name == "postgresql":
        # There, the name of a primary key is also that of its index, and indices share one space of names.
        op.execute("ALTER TABLE old_scores RENAME CONSTRAINT pk_scores TO pk_old_scores")
    op.create_table(
        "scores",
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("stderr", sa.Double(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("evaluation_id", "name", name="pk_scores"),
        _key("scores", "evaluation_id", "evaluations"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO scores (evaluation_id, name, mean, stderr, n) "
        "SELECT evaluation_id, objective, value, 0, 1 FROM old_scores WHERE objective NOT LIKE 'stage/%'"
    )


def _extend_evaluations() -> None:
    """Add costs, and the scores of stages, which were rows among all others."""
    with _filled(
        "evaluations", sa.Column("candidate_cpu_s", sa.Double()), sa.Column("oracle_calls", sa.BigInteger())
    ):
        op.execute(
            "UPDATE evaluations SET oracle_calls = 0, candidate_cpu_s = coalesce("
            "(SELECT sum(candidate_cpu_s) FROM curves WHERE curves.evaluation_id = evaluations.id), 0)"
        )
    op.add_column("evaluations", sa.Column("stages", sa.JSON(), nullable=True))
    stages: dict[int, dict[str, list[float]]] = defaultdict(dict)
    rows = sa.text("SELECT evaluation_id, objective, value FROM old_scores WHERE objective LIKE 'stage/%'")
    for number, name, value in op.get_bind().execute(rows):
        stages[number][name.removeprefix("stage/")] = [value, 0.0, 1]
    if stages:
        evaluations = sa.table("evaluations", sa.column("id"), sa.column("stages", sa.JSON()))
        op.get_bind().execute(
            sa.update(evaluations)
            .where(evaluations.c.id == sa.bindparam("its_id"))
            .values(stages=sa.bindparam("its_stages", type_=sa.JSON())),
            [{"its_id": number, "its_stages": means} for number, means in stages.items()],
        )
    op.drop_table("old_scores")


def _convert_curves() -> None:
    _make_tasks()
    op.create_table(
        "task_of",
        sa.Column("instance_id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
    )
    _convert_instances()
    op.execute(
        "INSERT INTO task_results (evaluation_id, position, task_id, points, stderr, samples, cpu_s, wall_s, "
        "candidate_cpu_s, oracle_calls) SELECT c.evaluation_id, c.position, t.task_id, c.points, 0, 1, c.cpu_s, "
        "c.wall_s, c.candidate_cpu_s, 0 FROM curves c JOIN task_of t ON t.instance_id = c.instance_id "
        "ORDER BY c.evaluation_id, c.position"
    )
    for name in ("task_of", "curves", "instances"):
        op.drop_table(name)


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("budget", sa.BigInteger(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("uniform", sa.Double(), nullable=True),
        sa.Column("floor", sa.Double(), nullable=True),
        sa.Column("reference", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.UniqueConstraint("key", name="uq_tasks_key"),
    )
    op.create_table(
        "task_results",
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        sa.Column("stderr", sa.Double(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=True),
        sa.Column("cpu_s", sa.Double(), nullable=False),
        sa.Column("wall_s", sa.Double(), nullable=False),
        sa.Column("candidate_cpu_s", sa.Double(), nullable=False),
        sa.Column("oracle_calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("evaluation_id", "position", name="pk_task_results"),
        _key("task_results", "evaluation_id", "evaluations"),
        _key("task_results", "task_id", "tasks"),
        sqlite_with_rowid=False,
    )


def _convert_instances() -> None:
    """Make a task of each instance; the key is what `results.writing` gives the same task."""
    connection = op.get_bind()
    tasks = sa.table("tasks", *(sa.column(name) for name in ("key", *_TASK, "uniform", "floor")))
    numbers: dict[str, int] = {}
    pairs: list[dict[str, int]] = []
    for number, name, family, variant, budget, uniform in connection.exec_driver_sql(
        "SELECT id, instance, game, variant, iterations, uniform FROM instances ORDER BY id"
    ).all():
        tier, seed = _tier(variant)
        values = dict(zip(_TASK, (name, family, tier, budget, seed), strict=True))
        values |= {"uniform": uniform, "floor": uniform * _FLOOR}
        key = sha256(json.dumps([*values.values(), []]).encode()).hexdigest()
        if key not in numbers:
            connection.execute(sa.insert(tasks), values | {"key": key})
            stored = sa.text("SELECT id FROM tasks WHERE key = :key")
            numbers[key] = connection.execute(stored, {"key": key}).scalar_one()
        pairs.append({"instance_id": number, "task_id": numbers[key]})
    if pairs:
        connection.execute(
            sa.insert(sa.table("task_of", sa.column("instance_id"), sa.column("task_id"))), pairs
        )


_TASK = ("name", "family", "tier", "budget", "seed")


def _tier(variant: str) -> tuple[str, int | None]:
    """The tier and seed of a payoff variant: ``generic-2`` is one seed of ``generic``."""
    seeded = _SEEDED.fullmatch(variant)
    return (seeded[1], int(seeded[2])) if seeded else (variant.partition("-")[0], None)


def _convert_looks() -> None:
    """Make a row of held-out tasks of each look at a sealed game; how a program failed there was not stored."""
    op.create_table(
        "held_out",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("program_id", sa.String(64), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("budget", sa.BigInteger(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("stderr", sa.Double(), nullable=False),
        sa.Column("floor", sa.Double(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("isolation", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("evaluated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_held_out"),
        _key("held_out", "campaign_id", "campaigns"),
        _key("held_out", "program_id", "programs"),
    )
    op.create_index("ix_held_out_campaign_id", "held_out", ["campaign_id"])
    op.execute(
        "INSERT INTO held_out (campaign_id, program_id, task, family, tier, budget, outcome, message, value, stderr, "
        "isolation, purpose, evaluated_at) SELECT campaign_id, program_id, game, game, 'exact', iterations, "
        "CASE WHEN exploitability IS NULL THEN 'exception' ELSE 'ok' END, '', exploitability, 0, '', purpose, "
        "looked_at FROM promotions ORDER BY id"
    )
    op.drop_table("promotions")
    split = sa.text("UPDATE held_out SET family = :family, tier = :tier, seed = :seed WHERE task = :task")
    connection = op.get_bind()
    for (task,) in connection.exec_driver_sql("SELECT DISTINCT task FROM held_out").all():
        if perturbed := _LABEL.fullmatch(task):
            tier, seed = _tier(perturbed[2])
            values = {"family": perturbed[1], "tier": tier, "seed": seed, "task": task}
            connection.execute(split, values)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")
