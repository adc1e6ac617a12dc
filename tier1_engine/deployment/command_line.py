"""The options that point an `aws` command line at a deployment's AWS. Pure.

Every `aws` line that is printed or recorded gets its region, profile and endpoint here: without them a line
about a local AWS, run literally, reaches AWS itself.
"""

from __future__ import annotations

import shlex

from tier1_engine.deployment.record import Deployment


def flags(deployment: Deployment, *, region: str | None = None) -> str:
    """The options that point `aws` at the deployment's AWS."""
    words = ["--region", region or deployment.region]
    if deployment.profile:
        words += ["--profile", deployment.profile]
    if deployment.endpoint:
        words += ["--endpoint-url", deployment.endpoint]
    return shlex.join(words)


def typed(line: str, deployment: Deployment) -> str:
    """A kind's `aws` line, with the options for the deployment's AWS."""
    return f"aws {flags(deployment)} {line.removeprefix('aws ')}"
