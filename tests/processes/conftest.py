"""A stage for each test: an account, a proxy before it, and the real command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.processes.account import Account
from tests.support.processes.checks import Undisturbed, check_once
from tests.support.processes.proxy import proxy
from tests.support.processes.stage import Stage
from tier1_engine.sandbox.process import server


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One local AWS for the worker; every stage finds it as new."""
    directory = tmp_path_factory.mktemp("local-aws")
    yield Account(str(server.start(directory).endpoint), directory)
    server.stop(directory)


@pytest.fixture
def new_stage(
    account: Account, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[Callable[[], Stage]]:
    """Makes stages, one after the other, each on an account as new."""
    with ExitStack() as ends:

        def new() -> Stage:
            stage = Stage.set(
                account,
                ends.enter_context(proxy(account.endpoint)),
                tmp_path_factory.mktemp("stage"),
                sqlite_template,
            )
            ends.callback(stage.close)
            return stage

        yield new


@pytest.fixture
def stage(new_stage: Callable[[], Stage]) -> Stage:
    return new_stage()


@pytest.fixture(scope="session")
def undisturbed(
    account: Account, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Undisturbed:
    with proxy(account.endpoint) as passage:
        stage = Stage.set(account, passage, tmp_path_factory.mktemp("undisturbed"), sqlite_template)
        done = stage.deploy()
        assert done.code == 0, done.err
        check_once(stage)
        return Undisturbed(account.census(), len(passage.changing))
