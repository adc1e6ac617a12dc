"""Commands as processes: as an operator runs them, and as the crash suite does, through its proxy."""

from tests.crash.test_processes import account, new_stage, stage, undisturbed

__all__ = [
    "account",
    "new_stage",
    "stage",
    "undisturbed",
]
