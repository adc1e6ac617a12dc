"""Sweeps: their rows, and what protects a deployment from them or says that one has begun with it.

Revision: 0002, after 0001.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def _time() -> sa.types.TypeEngine[Any]:
    return sa.String(32).with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    # Nullable, and without constraints: SQLite then adds them in place, and no table is copied.
    op.add_column("deployments", sa.Column("keep_until", _time(), nullable=True))
    op.add_column("deployments", sa.Column("swept_by", sa.String(length=32), nullable=True))
    op.add_column("deployments", sa.Column("tagged_as", _json(), nullable=True))
    op.create_table(
        "sweeps",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("begun_at", _time(), nullable=False),
        sa.Column("ended_at", _time(), nullable=True),
        sa.Column("host", sa.String(length=256), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("plan", _json(), nullable=False),
        sa.Column("results", _json(), nullable=False),
        sa.Column("marked", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("remained", sa.Integer(), nullable=False),
        sa.Column("reported", sa.Integer(), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (exit_code IS NULL)", name="an_ended_sweep_has_a_code"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sweeps_by_age", "sweeps", ["begun_at"])


def downgrade() -> None:
    raise NotImplementedError("Schemas only go forward; a copy was put beside the file before the upgrade.")
