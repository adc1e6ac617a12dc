"""What stopped the last run for lack of access to AWS, also in a rollback or teardown.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable, and without constraints: SQLite then changes it in place, and no table is copied.
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.add_column("deployments", sa.Column("blocked", json, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Schemas only go forward; a copy was put beside the file before the upgrade.")
