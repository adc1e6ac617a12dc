"""Commands as processes: as an operator runs them, and as the crash suite does, through its proxy."""

from tests.crash.test_processes import account, new_stage, stage, undisturbed
from tests.integration.conftest import aws, closed_port, local_aws, newcomer, stages, tier1, warm_tier1

__all__ = [
    "account",
    "aws",
    "closed_port",
    "local_aws",
    "new_stage",
    "newcomer",
    "stage",
    "stages",
    "tier1",
    "undisturbed",
    "warm_tier1",
]
