"""Events name the sweep that asked: until now that was read from the words of their message.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What revision 0002 wrote: "asked for by sweep ID: ...", with an id of 20 hexadecimal characters.
_ASKED = "asked for by sweep ____________________: %"
_ID_BEGINS = len("asked for by sweep ") + 1
_ID_CHARACTERS = 20


def upgrade() -> None:
    # Nullable, and without constraints: SQLite then adds it in place, and no table is copied.
    op.add_column("events", sa.Column("sweep_id", sa.String(length=32), nullable=True))
    events = sa.table("events", sa.column("sweep_id", sa.String), sa.column("message", sa.Text))
    id_of = sa.func.substr(events.c.message, _ID_BEGINS, _ID_CHARACTERS)
    op.execute(events.update().where(events.c.message.like(_ASKED)).values(sweep_id=id_of))


def downgrade() -> None:
    raise NotImplementedError("Schemas only go forward; a copy was put beside the file before the upgrade.")
