"""The whole life of a deployment once more, on moto as it is (`sandbox start --plain`).

Another emulator answers as that one does: all is there at once, and nothing is in use. `make plain` runs
all commands of the main job there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.commands.test_life import test_a_deployment_is_made_shown_and_destroyed
from tests.support.forked_aws import ForkedAws
from tests.support.local_aws import forked_aws

__all__ = ["test_a_deployment_is_made_shown_and_destroyed"]


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedAws]:
    """What a test's local AWS is forked from, without AWS's behaviour."""
    with forked_aws(tmp_path_factory.mktemp("plain-aws"), strict=False) as started:
        yield started


@pytest.fixture(scope="session")
def stages() -> None:
    """Everything is made anew."""
