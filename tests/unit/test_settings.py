"""Settings from the environment: defaults, bounds, and a message for each error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tier1_engine.errors import ConfigurationError
from tier1_engine.settings import Settings, database_url, from_environment, state_directory


def test_unset_variables_have_defaults() -> None:
    """Blank counts as unset."""
    assert from_environment({}) == from_environment({"TIER1_POLL_SECONDS": "  "}) == Settings()


def test_each_variable_is_read() -> None:
    """Values are in seconds, and a grace of zero is allowed."""
    settings = from_environment(
        {
            "TIER1_POLL_SECONDS": "0.05",
            "TIER1_VISIBILITY_GRACE_SECONDS": "0",
            "TIER1_LEASE_SECONDS": "30",
            "TIER1_CALL_TIMEOUT_SECONDS": "10",
        }
    )
    assert settings == Settings(0.05, 0.0, 30.0, 10.0)


@pytest.mark.parametrize(
    ("environ", "lease", "call"),
    [
        ({"TIER1_LEASE_SECONDS": "6"}, 6.0, 2.0),
        ({"TIER1_LEASE_SECONDS": "600"}, 600.0, 20.0),
        ({"TIER1_CALL_TIMEOUT_SECONDS": "40"}, 120.0, 40.0),
        ({"TIER1_CALL_TIMEOUT_SECONDS": "1"}, 60.0, 1.0),
    ],
)
def test_lease_and_call_time_out_follow_each_other(
    environ: dict[str, str], lease: float, call: float
) -> None:
    """A lease always outlasts three calls."""
    settings = from_environment(environ)
    assert (settings.lease_seconds, settings.call_timeout_seconds) == (lease, call)
    assert settings.lease_seconds >= 3 * settings.call_timeout_seconds


def test_a_lease_shorter_than_three_calls_is_refused() -> None:
    """The message says which one to raise or lower."""
    with pytest.raises(ConfigurationError, match="raise the first or lower the second"):
        from_environment({"TIER1_LEASE_SECONDS": "10", "TIER1_CALL_TIMEOUT_SECONDS": "5"})


@pytest.mark.parametrize("text", ["soon", "1h", "nan", "inf", "-1", "0", "1e9"])
@pytest.mark.parametrize("name", ["TIER1_POLL_SECONDS", "TIER1_LEASE_SECONDS", "TIER1_CALL_TIMEOUT_SECONDS"])
def test_an_invalid_number_of_seconds_is_refused(name: str, text: str) -> None:
    """The variable is named."""
    with pytest.raises(ConfigurationError, match=name):
        from_environment({name: text})


def test_the_database_is_in_the_users_state_directory_unless_named() -> None:
    """XDG_STATE_HOME counts only if it is absolute, as its specification says."""
    assert state_directory({"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/tier1")
    assert state_directory({"XDG_STATE_HOME": "relative"}) == Path.home() / ".local/state/tier1"
    assert database_url({"XDG_STATE_HOME": "/s"}) == "sqlite:////s/tier1/tier1.db"
    assert database_url({"TIER1_DATABASE_URL": " postgresql://h/d "}) == "postgresql://h/d"
