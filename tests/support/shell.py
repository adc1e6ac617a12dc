"""A shell as an operator has it, with `tier1` and the real `aws` on its path."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support import warm
from tests.support.command import TIER1, Command, Result, Warm

LIMIT_SECONDS = 180.0
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
"""Without the environment of the tests, so that what a test takes away is away."""


KEPT_WARM = (sys.executable, "-IS", warm.__file__, "call")
"""A program that passes its streams on; what follows is where it finds the one that is loaded."""


@dataclass
class Shell:
    """bash in the folder and environment of a command."""

    tier1: Command
    programs: Path

    def __call__(self, *words: str, answer: str = "", **environment: str) -> Result:
        path = os.pathsep.join((str(self.programs), SYSTEM_PATH))
        done = subprocess.run(
            ["bash", *words],
            cwd=self.tier1.folder,
            env={**self.tier1.environment, "PATH": path, **environment},
            input=answer,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def line(self, line: str) -> Result:
        """Run one line as it would be typed."""
        return self("-c", line)

    def script(self, reference: str = "demo") -> str:
        """The path of the script that `guide` writes."""
        written = self.tier1.here("guide", reference, "-o", "shell")
        assert written.code == 0, written.err
        path = self.tier1.folder / "undo.sh"
        path.write_text(written.out, encoding="utf-8")
        return str(path)


def program_of(tier1: Warm | None) -> tuple[str, ...]:
    """What a shell runs as `tier1`."""
    return (*KEPT_WARM, tier1.socket()) if tier1 else TIER1


def put_programs(folder: Path, aws: Path | None, tier1: Warm | None) -> Path:
    """A folder with `tier1` and `aws`: warm ones, or for None programs that start their own Python."""
    folder.mkdir()
    words_of = {
        "tier1": program_of(tier1),
        "aws": (*KEPT_WARM, str(aws)) if aws else (sys.executable, "-m", "awscli"),
    }
    for name, words in words_of.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    return folder
