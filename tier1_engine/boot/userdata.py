"""Renders the user data of an instance: mount EFS, run the user's script, and report the result.

The shell code is in `userdata.sh`. The values are put before it and the user's script after it as base64,
so that nothing in either is interpreted. What is larger than EC2 accepts is compressed. It reads no spec and
does not call AWS.

Markers on the console, each a complete line:

    tier1: begin                   the script has started
    tier1: mounted                 the file system is mounted
    tier1: user-data-failed CODE   it failed; no marker follows
    tier1: ready                   it succeeded

CODE is the exit status of the user's script, from 1 to 255 (128 + n if signal n ended it). Codes that
no exit status can have come from tier1's own part:

    300   ended early, by a signal or a bug in tier1
    301   the mount path could not be created
    302   the file system could not be mounted
    303   the user's script could not be unpacked
"""

from __future__ import annotations

import base64
import gzip
import re
import shlex
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import ascii_lowercase
from typing import Any

MAX_BYTES = 16_384
"""The most user data that EC2 accepts, before base64 encoding (EC2 user guide, "User data")."""
FAILED_MARK = re.compile(r"tier1: user-data-failed (\S+)")
"""The complete line that reports that the user data failed, and with which code."""

MEANINGS: Mapping[str, str] = {
    "300": "it ended early: a signal, or a bug in tier1's part",
    "301": "the mount path could not be created",
    "302": "the file system could not be mounted",
    "303": "the user's script could not be unpacked",
}
"""The codes of tier1's own part of the user data."""

_GZIP = b"\x1f\x8b"
_LONGEST_ID = "fs-" + "f" * 40
_LONGEST_ADDRESS = "255.255.255.255"


def render(
    *,
    script: str | None,
    file_system_id: str,
    mount_path: str,
    region: str,
    mount_targets: Mapping[str, str],
    iam: bool = False,
    compressed: bool = False,
) -> str:
    """Return the complete user data as plain text.

    Args:
        script: the user's script, run by the interpreter of its `#!` line, or by bash if it has none.
        mount_targets: the address of the mount target in each zone, used if its DNS name does not resolve.
        iam: mount with the identity of the instance's profile, where the EFS mount helper is installed (EFS
            user guide, "Mounting with IAM authorization": the option `iam` needs `tls`).
        compressed: whether the script is in it compressed.
    """
    text = (script or "").encode()
    settings = {
        "FS": file_system_id,
        "MP": mount_path,
        "REGION": region,
        "TARGETS": " ".join(f"{zone}={address}" for zone, address in mount_targets.items()),
        "TLS": "tls,iam" if iam else "tls",
        "SCRIPT": base64.b64encode(gzip.compress(text, mtime=0) if compressed else text).decode(),
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    return f"#!/bin/bash\n{head}{_body()}"


def packed(**settings: Any) -> bytes:
    """Return the user data as it is sent: plain text if EC2 accepts its size, else compressed.

    cloud-init decompresses user data that begins like a gzip file (its documentation, "User-data formats").
    The script is compressed on its own, too, because its base64 form hides what repeats in it.
    """
    plain = render(**settings).encode()
    if len(plain) <= MAX_BYTES:
        return plain
    return gzip.compress(render(**settings, compressed=True).encode(), mtime=0)


def is_compressed(sent: bytes) -> bool:
    """Whether `packed` compressed it."""
    return sent.startswith(_GZIP)


def unpacked(sent: bytes) -> str:
    """Return the text of user data that `packed` made.

    Raises:
        ValueError: it is no text, as other user data may be.
    """
    try:
        return (gzip.decompress(sent) if is_compressed(sent) else sent).decode()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("damaged gzip data") from error


def largest_bytes(script: str | None, *, mount_path: str, region: str, zones: int, iam: bool = False) -> int:
    """Return the largest possible size of `packed` for any ids and addresses that AWS assigns."""
    targets = {f"{region}{letter}": _LONGEST_ADDRESS for letter in ascii_lowercase[:zones]}
    sent = packed(
        script=script,
        file_system_id=_LONGEST_ID,
        mount_path=mount_path,
        region=region,
        mount_targets=targets,
        iam=iam,
    )
    # Real ids and addresses repeat less than these, so that they compress worse.
    return len(sent) + (len(_LONGEST_ID) + zones * len(_LONGEST_ADDRESS) if is_compressed(sent) else 0)


def meaning_of(code: str) -> str:
    """Describe the code of a failure marker."""
    if code in MEANINGS:
        return MEANINGS[code]
    status = int(code) if code.isdigit() else 0
    if 128 < status <= 255:
        return f"the user's script was killed by signal {status - 128}"
    return f"the user's script exited with status {code}"


@cache
def _body() -> str:
    """Return `userdata.sh` without its first line, comments and indentation, because its size is limited."""
    text = Path(__file__).with_name("userdata.sh").read_text(encoding="utf-8")
    return re.sub(r"^\s*(#.*)?\n|^[ \t]+", "", text, flags=re.MULTILINE)
