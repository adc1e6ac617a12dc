"""The interface of a call behaviour: it can answer instead of moto, and inspect or replace moto's answer.

Owns this contract. A behaviour is called under the world's lock, so it needs no lock of its own and never
waits.
"""

from __future__ import annotations

from tier1_engine.sandbox.wire.call import Call
from tier1_engine.sandbox.wire.replies import Reply


class CallBehaviour:
    """A behaviour that does nothing; each subclass overrides the methods that it needs."""

    def before(self, call: Call) -> Reply | None:
        """The answer that AWS gives instead of acting; None when it acts."""
        return None

    def after(self, call: Call, reply: Reply) -> Reply:
        """AWS's answer after it has acted and moto answered `reply`."""
        return reply

    def forget(self) -> None:
        """Clear everything remembered; called when the account is emptied."""
