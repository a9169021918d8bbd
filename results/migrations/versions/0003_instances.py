"""What is known of an instance, once: curves repeated its names and its game's string, a third of a database."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FIELDS = ("instance", "game", "variant", "iterations", "game_string", "uniform")


def upgrade() -> None:
    """Move what curves repeat into a table of its own."""
    op.rename_table("curves", "whole_curves")
    if op.get_context().dialect.name == "postgresql":
        # There, the name of a primary key is also that of its index, and indices share one space of names.
        op.execute("ALTER TABLE whole_curves RENAME CONSTRAINT pk_curves TO pk_whole_curves")
    _make_tables()
    names = ", ".join(_FIELDS)
    op.execute(f"INSERT INTO instances ({names}) SELECT DISTINCT {names} FROM whole_curves")
    same = " AND ".join(f"w.{name} = i.{name}" for name in _FIELDS)
    op.execute(
        "INSERT INTO curves (evaluation_id, position, instance_id, points, cpu_s, wall_s, candidate_cpu_s) "
        "SELECT w.evaluation_id, w.position, i.id, w.points, w.cpu_s, w.wall_s, w.candidate_cpu_s "
        f"FROM whole_curves w JOIN instances i ON {same} ORDER BY w.evaluation_id, w.position"
    )
    op.drop_table("whole_curves")


def _make_tables() -> None:
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
        sa.UniqueConstraint(*_FIELDS, name="uq_instances"),
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
        _key(["evaluation_id"], "evaluations"),
        _key(["instance_id"], "instances"),
        sqlite_with_rowid=False,
    )


def _key(columns: Sequence[str], other: str) -> sa.ForeignKeyConstraint:
    name = f"fk_curves_{'_'.join(columns)}_{other}"
    return sa.ForeignKeyConstraint(columns, [f"{other}.id"], name=name)
