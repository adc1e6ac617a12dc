"""What this host has seen of each deployment: evidence that a database is older than its last use here.

A database that is copied, or restored from a backup, does not know what happened afterwards. The host may: it
notes the revision of a deployment after each run, beside the databases, and not in them. It is evidence only.
Where it is missing nothing follows, and a note that could not be written is no failure.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Witness:
    """The notes about one database.

    Attributes:
        folder: one file for each deployment, with its revision.
    """

    folder: Path

    def revision(self, deployment_id: str) -> int:
        """Return the last revision seen of a deployment; 0 if there is no readable note."""
        try:
            return int((self.folder / deployment_id).read_text())
        except (OSError, ValueError):
            return 0

    def note(self, deployment_id: str, revision: int, *, anew: bool = False) -> None:
        """Note a revision, unless a later one was seen.

        Args:
            anew: replaces a later one, too: an operator has decided that this database continues.
        """
        if revision <= self.revision(deployment_id) and not anew:
            return
        draft = self.folder / f"{deployment_id}.{os.getpid()}"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_text(str(revision))
            draft.replace(self.folder / deployment_id)
