"""The benchmark of sweeps sweeps for real, and marks by pages."""

from __future__ import annotations

import json

import pytest

from benchmarks import sweep_load, sweep_sandbox


def test_marking_reads_pages_and_all_of_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    """A small load: no look for each resource, and nothing left."""
    assert sweep_load.main(["--deployments", "12", "--orphans", "3", "--call-ms", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["calls_to_mark"], found["pages_needed"]) == (14, 14)
    assert (found["resources"], found["deleted"], found["left"]) == (171, 171, 0)
    assert found["calls_to_delete"]["delete"] == 171


@pytest.mark.postgres
def test_several_deployments_at_once_on_postgres(
    postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each under its own lease, in threads that share one store."""
    assert (
        sweep_load.main(["--deployments", "8", "--orphans", "2", "--call-ms", "1", "--url", postgres_url])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["database"] == "postgresql"


@pytest.mark.long
def test_the_command_sweeps_real_stacks_on_the_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    """A small load: marking reads a page a kind, all of it goes, and looks are fewer than things."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "load")
        assert sweep_sandbox.main(["--deployments", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["deployments"], found["resources"], found["deleted"]) == (3, 41, 41)
    assert found["ratio_to_pages"] <= sweep_sandbox.MAX_RATIO
