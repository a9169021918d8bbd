"""Any problem's tasks in place of games: metrics, standard errors, provenance of programs, held-out tasks."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

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
    _convert_campaigns()
    _convert_evaluations()
    _convert_curves()
    _convert_looks()


def _convert_campaigns() -> None:
    """Add the metric, and say of each program that a search made under what it was run.

    That is the strictest, where several searches made it.
    """
    stored = sa.text("SELECT id, config FROM campaigns").columns(config=sa.JSON())
    configs = {row.id: row.config for row in op.get_bind().execute(stored)}
    _add_json("campaigns", "metric", dict.fromkeys(configs, _METRIC))
    with op.batch_alter_table("campaigns") as batch:
        batch.alter_column("metric", existing_type=sa.JSON(), nullable=False)
    strictest: dict[str, dict[str, Any]] = {}
    for campaign_id, program_id in op.get_bind().exec_driver_sql(
        # The first candidate is what the search started from.
        "SELECT DISTINCT campaign_id, program_id FROM candidates WHERE ordinal > 0 AND program_id IS NOT NULL"
    ):
        provenance = _provenance(configs[campaign_id])
        strictest[program_id] = _stricter(strictest.get(program_id, provenance), provenance)
    _add_json("programs", "provenance", strictest)


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


def _convert_evaluations() -> None:
    """Add costs, standard errors of scores, and the scores of stages, which were rows among all others."""
    stages: dict[int, dict[str, list[float]]] = defaultdict(dict)
    rows = sa.text("SELECT evaluation_id, objective, value FROM scores WHERE objective LIKE 'stage/%'")
    for number, name, value in op.get_bind().execute(rows):
        stages[number][name.removeprefix("stage/")] = [value, 0.0, 1]
    _add_json("evaluations", "stages", stages)
    op.add_column("evaluations", sa.Column("candidate_cpu_s", sa.Double()))
    op.add_column("evaluations", sa.Column("oracle_calls", sa.BigInteger()))
    op.execute(
        "UPDATE evaluations SET oracle_calls = 0, candidate_cpu_s = coalesce("
        "(SELECT sum(candidate_cpu_s) FROM curves WHERE curves.evaluation_id = evaluations.id), 0)"
    )
    with op.batch_alter_table("evaluations") as batch:
        batch.alter_column("candidate_cpu_s", existing_type=sa.Double(), nullable=False)
        batch.alter_column("oracle_calls", existing_type=sa.BigInteger(), nullable=False)
    op.execute("CREATE TABLE old_scores AS SELECT * FROM scores")
    op.drop_table("scores")
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
    op.drop_table("old_scores")


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


def _convert_curves() -> None:
    """Make a task of each instance; the key is what `results.writer` gives the same task."""
    _make_tasks()
    op.add_column("instances", sa.Column("task_id", sa.Integer()))
    add = sa.text(
        "INSERT INTO tasks (key, name, family, tier, budget, seed, uniform, floor) "
        "VALUES (:key, :name, :family, :tier, :budget, :seed, :uniform, :floor) ON CONFLICT DO NOTHING"
    )
    link = sa.text(
        "UPDATE instances SET task_id = (SELECT id FROM tasks WHERE key = :key) WHERE id = :number"
    )
    connection = op.get_bind()
    for number, name, family, variant, budget, uniform in connection.exec_driver_sql(
        "SELECT id, instance, game, variant, iterations, uniform FROM instances ORDER BY id"
    ).all():
        tier, seed = _tier(variant)
        task = {"name": name, "family": family, "tier": tier, "budget": budget, "seed": seed}
        task |= {"uniform": uniform, "floor": uniform * _FLOOR}
        key = sha256(json.dumps([*task.values(), []]).encode()).hexdigest()
        connection.execute(add, task | {"key": key})
        connection.execute(link, {"key": key, "number": number})
    op.execute(
        "INSERT INTO task_results (evaluation_id, position, task_id, points, stderr, samples, cpu_s, wall_s, "
        "candidate_cpu_s, oracle_calls) SELECT c.evaluation_id, c.position, i.task_id, c.points, 0, 1, c.cpu_s, "
        "c.wall_s, c.candidate_cpu_s, 0 FROM curves c JOIN instances i ON i.id = c.instance_id "
        "ORDER BY c.evaluation_id, c.position"
    )
    op.drop_table("curves")
    op.drop_table("instances")


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


def _add_json(table: str, column: str, values: Mapping[Any, Any]) -> None:
    """Add a column of JSON, with the values of some rows by their ids."""
    op.add_column(table, sa.Column(column, sa.JSON(), nullable=True))
    change = sa.text(f"UPDATE {table} SET {column} = :value WHERE id = :id")
    change = change.bindparams(sa.bindparam("value", type_=sa.JSON()))
    if values:
        op.get_bind().execute(change, [{"id": key, "value": value} for key, value in values.items()])


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")
