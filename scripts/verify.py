"""Checks that no generated or derived file is stale, which no test and no linter does.

    python -m scripts.verify

Exit code 0 when all files are current, 1 otherwise; each finding is one line with the command to run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from scripts import generate_docs, guarantees
from tier1_engine.store import database, schema
from tier1_engine.store.tables import SCHEMA_REVISION, Base


def page_findings(root: Path = generate_docs.ROOT) -> list[str]:
    """The generated pages that are stale."""
    return [f"{name} is stale: run `python -m scripts.generate_docs`." for name in generate_docs.stale(root)]


def revision_findings() -> list[str]:
    """Whether the models name the newest migration."""
    from alembic.script import ScriptDirectory

    heads = ScriptDirectory.from_config(schema.alembic_config()).get_heads()
    if heads == [SCHEMA_REVISION]:
        return []
    found = " and ".join(heads) or "missing"
    return [f"The newest migration is {found}, but SCHEMA_REVISION in models.py names {SCHEMA_REVISION}."]


def schema_findings() -> list[str]:
    """Where a migrated SQLite database differs from the models; a test does the same on Postgres."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with tempfile.TemporaryDirectory() as folder:
        engine = database.connect(f"sqlite:///{Path(folder) / 'verify.db'}")
        try:
            schema.upgrade(engine)
            with engine.connect().execution_options(reads_only=True) as connection:
                context = MigrationContext.configure(
                    connection, opts={"compare_type": True, "compare_server_default": True}
                )
                differences = compare_metadata(context, Base.metadata)
        finally:
            engine.dispose()
    return [
        f"The migrations do not lead to the models: {difference}. Write the migration."
        for difference in differences
    ]


def main() -> int:
    """Print the findings; answer the exit code."""
    findings = revision_findings()
    # A migration that the models do not name cannot be compared with them.
    findings += schema_findings() if not findings else []
    findings += page_findings()
    findings += guarantees.findings()
    for finding in findings:
        print(f"verify: {finding}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
