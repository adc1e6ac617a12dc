"""The script that an instance runs at its first boot: mount EFS, run the user's script, say how it went.

Owns the rendering. The shell is in `userdata.sh`; here the values are put before it, and the user's
script behind it as base64, so that nothing in either is ever interpreted. It reads no spec and no AWS.

Marks on the console, each a whole line:

    tier1: begin                   the script runs
    tier1: mounted                 the file system is mounted
    tier1: user-data-failed CODE   it ended badly; nothing follows
    tier1: ready                   all of it went well

CODE is the exit status of the user's script (128 + n when signal n ended it), from 1 to 255. What
no exit status can be comes from our own part:

    300   ended early, by a signal or a defect of ours
    301   the mount path could not be made
    302   the file system could not be mounted
    303   the user's script could not be unpacked
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import ascii_lowercase

MAX_BYTES = 16_384
"""What EC2 takes as user data, before it is encoded for the call (EC2 user guide, "User data")."""
FAILED_MARK = re.compile(r"tier1: user-data-failed (\S+)")
"""The whole line that says that the user data ended badly, and with which code."""

MEANINGS: Mapping[str, str] = {
    "300": "it ended early: a signal, or a bug in tier1's part",
    "301": "the mount path could not be created",
    "302": "the file system could not be mounted",
    "303": "the user's script could not be unpacked",
}
"""A code that no exit status can be."""

_LONGEST_ID = "fs-" + "f" * 40
_LONGEST_ADDRESS = "255.255.255.255"


def render(
    *, script: str | None, file_system_id: str, mount_path: str, region: str, mount_targets: Mapping[str, str]
) -> str:
    """The whole user data, as plain text.

    Args:
        script: the user's, run with its own interpreter line, or by bash when it has none.
        mount_targets: the address of the mount target in each zone, for where names do not resolve.
    """
    settings = {
        "FS": file_system_id,
        "MP": mount_path,
        "REGION": region,
        "TARGETS": " ".join(f"{zone}={address}" for zone, address in mount_targets.items()),
        "SCRIPT": base64.b64encode((script or "").encode()).decode(),
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    return f"#!/bin/bash\n{head}{_body()}"


def largest_bytes(script: str | None, *, mount_path: str, region: str, zones: int) -> int:
    """How large the user data can get, whatever ids and addresses AWS gives out."""
    targets = {f"{region}{letter}": _LONGEST_ADDRESS for letter in ascii_lowercase[:zones]}
    text = render(
        script=script, file_system_id=_LONGEST_ID, mount_path=mount_path, region=region, mount_targets=targets
    )
    return len(text.encode())


def meaning_of(code: str) -> str:
    """What the code of a failed mark says, in words."""
    if code in MEANINGS:
        return MEANINGS[code]
    status = int(code) if code.isdigit() else 0
    if 128 < status <= 255:
        return f"the user's script was killed by signal {status - 128}"
    return f"the user's script exited with status {code}"


@cache
def _body() -> str:
    """`userdata.sh` without its first line, comments and indentation: every byte counts."""
    text = Path(__file__).with_name("userdata.sh").read_text(encoding="utf-8")
    return re.sub(r"^\s*(#.*)?\n|^[ \t]+", "", text, flags=re.MULTILINE)
