"""The benchmark of sweeps really sweeps, and marks by pages."""

from __future__ import annotations

import json

import pytest

from benchmarks import sweep_load, sweep_sandbox


def test_marking_reads_pages_and_everything_is_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a small load: no read for each resource, and nothing remains."""
    assert sweep_load.main(["--deployments", "12", "--orphans", "3", "--call-ms", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["calls_to_mark"], found["pages_needed"]) == (14, 14)
    assert (found["resources"], found["deleted"], found["left"]) == (171, 171, 0)
    assert found["calls_to_delete"]["delete"] == 171


@pytest.mark.postgres
def test_several_deployments_at_once_on_postgres(
    postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each runs under its own lease, in threads that share one store."""
    assert (
        sweep_load.main(["--deployments", "8", "--orphans", "2", "--call-ms", "1", "--url", postgres_url])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["database"] == "postgresql"


@pytest.mark.long
def test_the_command_sweeps_real_stacks_on_the_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a small load: marking reads a page a kind, all of it is deleted, and there are fewer reads than
    resources.
    """
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "load")
        assert sweep_sandbox.main(["--deployments", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["deployments"], found["resources"], found["deleted"]) == (3, 41, 41)
    assert found["ratio_to_pages"] <= sweep_sandbox.MAX_RATIO
