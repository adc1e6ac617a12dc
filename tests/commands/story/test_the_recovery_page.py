"""docs/recovery.md is tested: its commands run again and print the output that the page shows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.command import Warm
from tests.support.processes.proxy import Proxy
from tests.support.replay import PAGE, Stage, command_in, commands, normalised, replay
from tests.support.shell import put_programs


@pytest.mark.long
@pytest.mark.skipif(shutil.which("jq") is None, reason="the page has examples for jq")
def test_its_commands_print_the_output_shown(
    line: Proxy, tmp_path: Path, warm_tier1: Warm, warm_aws: Path
) -> None:
    """Ids, times and the order of AWS's answers may differ; exit codes may not."""
    programs = put_programs(tmp_path / "programs", warm_aws, warm_tier1)
    stage = Stage(command_in(tmp_path, line.url, dict(os.environ)), line, programs)
    ran = list(replay(PAGE.read_text(encoding="utf-8"), stage))
    assert len(ran) > 20
    for run in ran:
        assert normalised(run.printed) == normalised(run.written), run.command


def test_the_comparison_ignores_what_differs_between_runs() -> None:
    """Ids, times, ages and order are ignored; words and figures are not."""
    first = "vpc vpc-0a1b2c3d [no charge]\nhuge (0123456789ab) failed 3s ago\n"
    second = "huge (ba9876543210) failed 12m ago\nvpc   vpc-d3c2b1a0 [no charge]\n"
    assert normalised(first) == normalised(second)
    assert normalised(first) != normalised(second.replace("no charge", "$1"))


def test_a_block_is_commands_with_their_outputs() -> None:
    """A command without output is a block too."""
    found = list(commands("$ tier1 list\nID\n$ tier1 show x\n"))
    assert found == [("tier1 list", "ID\n"), ("tier1 show x", "")]
