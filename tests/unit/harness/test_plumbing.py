"""The tests' own foundation: databases of their own, and no access to a real AWS."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import text

from tier1_engine import settings
from tier1_engine.store import database, schema
from tier1_engine.store.tables import SCHEMA_REVISION


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_a_database_of_its_own_with_our_schema(any_database_url: str, turn: int) -> None:
    """The second run does not find what the first one made."""
    engine = database.connect(any_database_url)
    assert schema.revision(engine) == SCHEMA_REVISION
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE only_mine (turn INTEGER)"))
    engine.dispose()


@pytest.mark.parametrize("turn", [1, 2])
def test_no_test_finds_the_rows_of_another(any_database_url: str, turn: int) -> None:
    """A Postgres database is reused from test to test, with its first rows restored."""
    engine = database.connect(any_database_url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM installation")).scalar() == 1
        connection.execute(text("DELETE FROM installation"))
    engine.dispose()


def test_an_empty_database_has_no_schema(empty_database_url: str) -> None:
    """It is for the tests of the commands that create the schema."""
    engine = database.connect(empty_database_url)
    assert schema.revision(engine) is None
    engine.dispose()


def test_no_test_reaches_a_real_account(tmp_path: Path) -> None:
    """Credentials are fake, the user's files are not read, and state is stored in the test's own folder."""
    assert os.environ["AWS_ACCESS_KEY_ID"] == "testing"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"} & set(os.environ)
    assert settings.state_directory().is_relative_to(tmp_path)
