"""What a manner of calls is: it may answer before moto does, and see or replace what moto answered.

Owns the contract. A manner is called under the world's lock, so it needs none of its own, and never
waits.
"""

from __future__ import annotations

from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.replies import Reply


class Manner:
    """A manner that does nothing; each of the others overrides what it is about."""

    def before(self, call: Call) -> Reply | None:
        """The answer that AWS gives instead of acting; None when it acts."""
        return None

    def after(self, call: Call, reply: Reply) -> Reply:
        """What AWS answers when it has acted and moto answered `reply`."""
        return reply

    def forget(self) -> None:
        """The account was emptied: remember nothing of what was in it."""
