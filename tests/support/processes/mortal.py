"""The real `tier1`, which kills itself at one of its commits.

    mortal.py before|after NUMBER ARGUMENTS...      run by `tests.support.warm` before `tier1`

It is a SIGKILL of this process, just before the database is asked to commit, or just after it has: no
`finally` runs, no connection is closed, no stream is flushed. Nothing else of the command is changed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

MOMENTS = ("before", "after")


def die_at(moment: str, number: int) -> None:
    """Count the commits of this process, and die at that of the number."""
    commit: Callable[[Any, Any], None] = DefaultDialect.do_commit
    made = 0

    def do_commit(self: Any, connection: Any) -> None:
        nonlocal made
        made += 1
        if (moment, number) == ("before", made):
            os.kill(os.getpid(), signal.SIGKILL)
        commit(self, connection)
        if (moment, number) == ("after", made):
            os.kill(os.getpid(), signal.SIGKILL)

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


if __name__ == "__main__":
    moment, number = sys.argv[1:3]
    assert moment in MOMENTS
    del sys.argv[1:3]
    die_at(moment, int(number))
