"""Campaigns, programs, candidates, evaluations with scores and curves, looks at sealed games, events, model calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table of the first released schema."""
    _make_campaigns_and_programs()
    _make_candidates()
    _make_evaluations()
    _make_curves()
    _make_notes()
    _make_calls()


def _key(table: str, columns: list[str], target: str, target_columns: list[str]) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{'_'.join(columns)}_{target}"
    return sa.ForeignKeyConstraint(columns, [f"{target}.{column}" for column in target_columns], name=name)


def _make_campaigns_and_programs() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("machine", sa.JSON(), nullable=False),
        sa.Column("git_commit", sa.Text(), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        sa.UniqueConstraint("name", name="uq_campaigns_name"),
    )
    op.create_table(
        "programs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("tree_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_programs"),
    )


def _make_candidates() -> None:
    op.create_table(
        "candidates",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("program_id", sa.String(64), nullable=True),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("island", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("told_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", "ordinal", name="pk_candidates"),
        _key("candidates", ["campaign_id"], "campaigns", ["id"]),
        _key("candidates", ["program_id"], "programs", ["id"]),
    )
    op.create_index("ix_candidates_program_id", "candidates", ["program_id"])
    op.create_table(
        "parents",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("program_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "ordinal", "position", name="pk_parents"),
        _key("parents", ["campaign_id", "ordinal"], "candidates", ["campaign_id", "ordinal"]),
        _key("parents", ["program_id"], "programs", ["id"]),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_parents_program_id", "parents", ["program_id"])


def _make_evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=True),
        sa.Column("program_id", sa.String(64), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("isolation", sa.Text(), nullable=False),
        sa.Column("cpu_s", sa.Double(), nullable=False),
        sa.Column("wall_s", sa.Double(), nullable=False),
        sa.Column("log", sa.LargeBinary(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evaluations"),
        _key("evaluations", ["campaign_id"], "campaigns", ["id"]),
        _key("evaluations", ["campaign_id", "ordinal"], "candidates", ["campaign_id", "ordinal"]),
        _key("evaluations", ["program_id"], "programs", ["id"]),
        sa.UniqueConstraint("campaign_id", "ordinal", "plan", name="uq_evaluations_campaign_id_ordinal_plan"),
    )
    op.create_index("ix_evaluations_program_id", "evaluations", ["program_id"])
    op.create_index(
        "ix_evaluations_baselines",
        "evaluations",
        ["campaign_id", "program_id", "plan"],
        unique=True,
        sqlite_where=sa.text("ordinal IS NULL"),
        postgresql_where=sa.text("ordinal IS NULL"),
    )
    op.create_table(
        "scores",
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("evaluation_id", "objective", name="pk_scores"),
        _key("scores", ["evaluation_id"], "evaluations", ["id"]),
        sqlite_with_rowid=False,
    )


def _make_curves() -> None:
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("game", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("iterations", sa.BigInteger(), nullable=False),
        sa.Column("game_string", sa.Text(), nullable=False),
        sa.Column("uniform", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instances"),
        sa.UniqueConstraint(
            "instance", "game", "variant", "iterations", "game_string", "uniform", name="uq_instances"
        ),
    )
    op.create_table(
        "curves",
        sa.Column("evaluation_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        sa.Column("cpu_s", sa.Double(), nullable=False),
        sa.Column("wall_s", sa.Double(), nullable=False),
        sa.Column("candidate_cpu_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("evaluation_id", "position", name="pk_curves"),
        _key("curves", ["evaluation_id"], "evaluations", ["id"]),
        _key("curves", ["instance_id"], "instances", ["id"]),
        sqlite_with_rowid=False,
    )


def _make_notes() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("program_id", sa.String(64), nullable=False),
        sa.Column("game", sa.Text(), nullable=False),
        sa.Column("iterations", sa.BigInteger(), nullable=False),
        sa.Column("exploitability", sa.Double(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("looked_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
        _key("promotions", ["campaign_id"], "campaigns", ["id"]),
        _key("promotions", ["program_id"], "programs", ["id"]),
    )
    op.create_index("ix_promotions_campaign_id", "promotions", ["campaign_id"])
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("happened_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        _key("events", ["campaign_id"], "campaigns", ["id"]),
    )
    op.create_index("ix_events_campaign_id", "events", ["campaign_id"])


def _make_calls() -> None:
    op.create_table(
        "model_texts",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model_texts"),
    )
    op.create_table(
        "model_calls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("answer_id", sa.String(64), nullable=True),
        sa.Column("stop", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("latency_s", sa.Double(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_model_calls"),
        _key("model_calls", ["campaign_id"], "campaigns", ["id"]),
        _key("model_calls", ["answer_id"], "model_texts", ["id"]),
    )
    op.create_index(
        "ix_model_calls_campaign_id_ordinal_attempt", "model_calls", ["campaign_id", "ordinal", "attempt"]
    )
