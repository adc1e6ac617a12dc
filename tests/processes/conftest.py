"""A stage for each test: an account, a proxy before it, and the real command."""

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
    """That of the worker's local AWS; every stage finds it as new."""
    return Account(local_aws)


@pytest.fixture
def new_stage(
    account: Account, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, warm_tier1: Warm
) -> Iterator[Callable[[], Stage]]:
    """Makes stages, one after the other, each on an account as new."""
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
    """A stage on which nothing has happened."""
    assert undisturbed.calls  # it was made before, on a stage of its own
    return new_stage()


@pytest.fixture(scope="session")
def what_undisturbed_deployments_made() -> list[Undisturbed]:
    """Of this worker: the first test that asks makes one."""
    return []


@pytest.fixture
def undisturbed(
    what_undisturbed_deployments_made: list[Undisturbed], new_stage: Callable[[], Stage]
) -> Undisturbed:
    """What a deployment makes that nothing disturbs."""
    if not what_undisturbed_deployments_made:
        stage = new_stage()
        done = stage.deploy()
        assert done.code == 0, done.err
        check_once(stage)
        made = Undisturbed(stage.account.census(), len(stage.proxy.changing))
        what_undisturbed_deployments_made.append(made)
    return what_undisturbed_deployments_made[0]
