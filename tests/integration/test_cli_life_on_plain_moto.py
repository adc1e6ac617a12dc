"""The whole life of a deployment once more, on moto as it is (`sandbox start --plain`).

Another emulator answers as that one does: all is there at once, and nothing is in use. `make plain` runs
all commands of the main job there.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.conftest import FOLDERS
from tests.integration.test_cli_life import (
    test_a_deployment_is_made_shown_and_destroyed,
    test_a_launch_that_aws_refuses_is_rolled_back_with_its_reason,
    test_what_is_retained_stays_with_all_that_it_needs,
)
from tier1_engine.sandbox.process import server
from tier1_engine.sandbox.process.state import Options

__all__ = [
    "test_a_deployment_is_made_shown_and_destroyed",
    "test_a_launch_that_aws_refuses_is_rolled_back_with_its_reason",
    "test_what_is_retained_stays_with_all_that_it_needs",
]


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a plain local AWS that refuses instance types that do not exist."""
    directory = tmp_path_factory.mktemp("plain-aws")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true")
        started = server.start(directory, options=Options(strict=False))
    FOLDERS[str(started.endpoint)] = directory
    yield str(started.endpoint)
    server.stop(directory)
