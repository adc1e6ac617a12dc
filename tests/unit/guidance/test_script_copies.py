"""The script of a guide deletes what is on record, and besides it at most what creates may have made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import tier1_engine.guidance

pytestmark = pytest.mark.promise(3)

FUNCTIONS = Path(tier1_engine.guidance.__file__).with_name("script.sh").read_text(encoding="utf-8")
AWS = """
PAUSE_SECONDS=0 LIMIT_SECONDS=0 BUSY=
find_1() { cat standing; }
proved_1() { :; }
delete_1() { sed -i "/^$id\\$/d" standing; }
"""
"""One kind of object: each line of a file stands for one that has the tags."""


def removed(folder: Path, standing: list[str], known: str, others: int) -> tuple[list[str], str]:
    """What remains after the script has removed one resource, and what it said."""
    (folder / "standing").write_text("\n".join(standing) + "\n", encoding="utf-8")
    remove = f"remove 1 net net-1 NotFound '' '' '{known}' {others}\n[ -z \"$LEFT\" ] || exit 5\n"
    done = subprocess.run(
        ["bash", "-c", FUNCTIONS + AWS + remove], cwd=folder, text=True, capture_output=True, check=False
    )
    left = (folder / "standing").read_text(encoding="utf-8").split()
    assert done.returncode == (5 if left and others else 0), done.stderr
    return left, done.stderr


def test_without_a_lost_create_only_recorded_ids_are_deleted(tmp_path: Path) -> None:
    assert removed(tmp_path, ["net-1", "copy"], "net-1", 0)[0] == ["copy"]


def test_what_a_lost_create_made_is_deleted(tmp_path: Path) -> None:
    assert removed(tmp_path, ["net-2"], "", 1)[0] == []


def test_of_more_than_the_lost_creates_none_is_deleted_and_all_are_named(tmp_path: Path) -> None:
    """Field case: the reply of CreateSecurityGroup was lost, and a tool copied the tags to a user's group."""
    left, said = removed(tmp_path, ["net-1", "net-2", "copy"], "net-1", 1)
    assert left == ["net-2", "copy"]
    assert "not touched: net-2 copy have its tags, but tier1 made at most 1 of them" in said
