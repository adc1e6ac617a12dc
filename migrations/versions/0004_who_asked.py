"""Who asked: with each line of the timeline, and with each deployment who made it and who asked last.

`tagged_as` of a deployment, which holds tags, gets a name that differs from the column of a resource.

Revision: 0004, after 0003.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    # Nullable, and without constraints: SQLite then changes them in place, and no table is copied.
    op.alter_column("deployments", "tagged_as", new_column_name="tags_as_deployed")
    op.add_column("deployments", sa.Column("created_by", _json(), nullable=True))
    op.add_column("deployments", sa.Column("asked_by", _json(), nullable=True))
    op.add_column("events", sa.Column("actor", _json(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Schemas only go forward; a copy was put beside the file before the upgrade.")
