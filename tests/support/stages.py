"""Cached starting states for tests that need an existing deployment: each is made once, then restored.

A stage is a stopped local AWS (`ForkedAws.freeze`), its database, and the output of the command that made
both. It is used only when that command would find exactly the same state: for a test that has changed
anything before, the command runs.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.census import of_sandbox
from tests.support.forked_aws import ForkedAws
from tests.support.processes.proxy import Proxy
from tier1_engine.sandbox.process import remote

FOLDER = "{folder}"
SETTINGS = ("AWS_", "TIER1_", "MOTO_")

Said = tuple[int, str, str]
"""Exit code, stdout, stderr."""


@dataclass(frozen=True)
class Stage:
    """The state that one command left.

    Attributes:
        origin: the local AWS to fork.
        database: the content of the file.
        said: the command's output, with `FOLDER` in place of its folder.
    """

    origin: str
    database: bytes
    said: Said


@dataclass
class Stages:
    """Those of one local AWS.

    Attributes:
        line: another way to it, on which calls can be spoilt.
    """

    aws: ForkedAws
    line: Proxy | None = None
    known: dict[str, Stage] = field(default_factory=dict)

    def lead_from(self, endpoint: str) -> bool:
        """Whether a command would reach this AWS there, and only this AWS answers it."""
        if self.line is not None and endpoint == self.line.url:
            return self.line.passes
        return endpoint == self.aws.endpoint

    def put(
        self,
        folder: Path,
        database: Path,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        run: Callable[[], Said],
    ) -> Said:
        """Have everything as it is after this command.

        Args:
            run: runs it.
        """
        key = self._key(folder, database, arguments, environment)
        if (stage := self.known.get(key)) is None:
            code, out, err = run()
            said = code, _moved(out, folder, FOLDER), _moved(err, folder, FOLDER)
            with closing(sqlite3.connect(database)) as connection:
                content = connection.serialize()
            stage = self.known[key] = Stage(self.aws.freeze(), content, said)
        self.aws.serve(stage.origin)
        database.write_bytes(stage.database)
        database.chmod(0o600)
        code, out, err = stage.said
        return code, _moved(out, FOLDER, folder), _moved(err, FOLDER, folder)

    def _key(
        self, folder: Path, database: Path, arguments: tuple[str, ...], environment: Mapping[str, str]
    ) -> str:
        """Everything that the outcome of the command depends on: the account, the database and the
        arguments.
        """
        things = sorted(f"{one.key} {sorted(one.tags.items())}" for one in of_sandbox(self.aws.directory))
        faults = remote.faults(self.aws.directory)
        with closing(sqlite3.connect(database)) as connection:
            rows = list(connection.iterdump())
        files = [path.read_text() for word in arguments if (path := Path(word)).is_file()]
        settings = sorted(one for one in environment.items() if one[0].startswith(SETTINGS))
        described = _moved(repr((arguments, files, settings)), folder, FOLDER)
        whole = repr((self.aws.origin, things, faults, rows, described))
        return hashlib.sha256(whole.encode()).hexdigest()


def _moved(text: str, here: Path | str, there: Path | str) -> str:
    return text.replace(str(here), str(there))
