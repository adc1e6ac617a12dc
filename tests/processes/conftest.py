"""Fixtures of the process tests: an account, a proxy in front of it, and the real command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.command import Warm
from tests.support.forked_aws import ForkedAws
from tests.support.processes.account import Account
from tests.support.processes.checks import Undisturbed, check_once
from tests.support.processes.proxy import proxy
from tests.support.processes.stage import Stage


@pytest.fixture(scope="session")
def account(local_aws: ForkedAws) -> Account:
    """The account of the worker's local AWS, emptied for every stage."""
    return Account(local_aws)


@pytest.fixture
def new_stage(
    account: Account, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, warm_tier1: Warm
) -> Iterator[Callable[[], Stage]]:
    """Create stages, one at a time, each on an empty account."""
    with ExitStack() as ends:
        ends.callback(account.leave)

        def new() -> Stage:
            passage = ends.enter_context(proxy(account.endpoint))
            folder = tmp_path_factory.mktemp("stage")
            stage = Stage.set(account, passage, folder, sqlite_template, warm_tier1)
            ends.callback(stage.close)
            return stage

        yield new


@pytest.fixture
def stage(undisturbed: Undisturbed, new_stage: Callable[[], Stage]) -> Stage:
    """A new stage."""
    assert undisturbed.calls  # created earlier, on a stage of its own
    return new_stage()


@pytest.fixture(scope="session")
def what_undisturbed_deployments_made() -> list[Undisturbed]:
    """What an undisturbed deployment creates, cached by the first test of this worker that asks."""
    return []


@pytest.fixture
def undisturbed(
    what_undisturbed_deployments_made: list[Undisturbed], new_stage: Callable[[], Stage]
) -> Undisturbed:
    """What an undisturbed deployment creates."""
    if not what_undisturbed_deployments_made:
        stage = new_stage()
        done = stage.deploy()
        assert done.code == 0, done.err
        check_once(stage)
        made = Undisturbed(stage.account.census(), len(stage.proxy.changing))
        what_undisturbed_deployments_made.append(made)
    return what_undisturbed_deployments_made[0]
