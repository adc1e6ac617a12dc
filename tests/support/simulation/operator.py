"""Another operator, who acts at one instant of a driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.simulation.process import Killer

BEFORE_COMMIT = "before commit"


@dataclass
class Operator(Killer):
    """Acts at one instant of another's driver."""

    at: int = 0
    ask: Callable[[], None] = lambda: None
    asking: bool = False

    def instant(self, what: str) -> None:
        if self.asking:
            return
        super().instant(what)
        if self.armed and len(self.instants) == self.at:
            self.asking = True
            try:
                self.ask()
            finally:
                self.asking = False
