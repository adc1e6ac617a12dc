"""The life cycle of a deployment on plain moto (`sandbox start --plain`).

Another emulator answers as that one does: all is there at once, and nothing is in use. `make plain` runs
all commands of the main job there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.commands.test_life import test_a_deployment_is_made_shown_and_destroyed
from tests.support.forked_aws import ForkedAws
from tests.support.local_aws import forked_aws

pytestmark = pytest.mark.long

__all__ = ["test_a_deployment_is_made_shown_and_destroyed"]


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedAws]:
    """The process that a test's local AWS is forked from, without the behaviour of AWS."""
    with forked_aws(tmp_path_factory.mktemp("plain-aws"), strict=False) as started:
        yield started


@pytest.fixture(scope="session")
def stages() -> None:
    """Nothing is reused: every deployment is created by the command."""
