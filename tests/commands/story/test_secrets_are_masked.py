"""Criterion: secrets are masked everywhere: the tests plant them in every input and search every output."""

from __future__ import annotations

import base64
import sqlite3
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from tests.support.command import Command, Result
from tests.support.loopback import endpoint, http
from tests.support.processes.proxy import Act, Call, Exchange, Proxy, Reply, passes
from tests.support.terminal import Terminal

MARK = "planted"
KEYS = {
    "AWS_SECRET_ACCESS_KEY": f"{MARK}-aws-secret-0123456789abcdefghijk",
    "AWS_SESSION_TOKEN": f"{MARK}-session-token-" + "x" * 100,
}
SCRIPT = f"#!/bin/bash\nexport PASSWORD={MARK}-script\n"
NEEDED = {("deployments", "spec"), ("steps", "inputs"), ("resources", "request")}
"""Columns that a deployment needs unmasked in order to run; the export masks them."""


READS = (
    ("list",),
    ("list", "-o", "json"),
    ("show", "demo"),
    ("show", "demo", "-o", "json"),
    ("show", "demo", "--spec"),
    ("log", "demo"),
    ("log", "demo", "-o", "json"),
    ("log", "demo", "-o", "jsonl"),
    ("guide", "demo"),
    ("guide", "demo", "-o", "json"),
    ("guide", "demo", "-o", "shell"),
    ("sweep", "--dry-run", "-o", "json"),
    ("db", "export"),
    ("rollback", "demo"),
    ("guide", "demo", "-o", "json"),
    ("log", "demo", "--console"),
)


def spec_with_secrets(command: Command, url: str) -> Path:
    """A spec whose script and service URL each contain a secret."""
    (command.folder / "boot.sh").write_text(SCRIPT, encoding="utf-8")
    service = f'health: {{timeout: 1s, services: [{{name: door, url: "{url}"}}]}}\n'
    path = Path(command.spec("demo", more=service))
    text = path.read_text(encoding="utf-8").replace("market:", "user_data: boot.sh, market:")
    path.write_text(text, encoding="utf-8")
    return path


def quotes_the_request(call: Call) -> Act | None:
    """Answer as AWS does when a signature does not match: it quotes the request with its session token."""
    if call.operation != "CreateFileSystem":
        return None
    quoted = f"The canonical string should have been x-amz-security-token:{KEYS['AWS_SESSION_TOKEN']}"
    body = f'{{"ErrorCode": "SignatureDoesNotMatch", "Message": "{quoted}"}}'
    headers = (("Content-Type", "application/json"), ("x-amzn-ErrorType", "SignatureDoesNotMatch"))

    def act(exchange: Exchange) -> None:
        exchange.answer(Reply(403, headers, body.encode()))

    return act


def columns_with_a_secret(database: Path) -> Iterator[tuple[str, str]]:
    with sqlite3.connect(database) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in tables:
            rows = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - names of our own tables
            names = [column[0] for column in rows.description]
            for row in rows:
                yield from ((table, n) for n, v in zip(names, row, strict=True) if tells(str(v)))
    connection.close()


def tells(text: str) -> bool:
    return MARK in text or base64.b64encode(SCRIPT.encode()).decode() in text


def test_no_secret_is_reported_or_stored_where_it_is_not_needed(operator: Command, line: Proxy) -> None:
    """No screen, log, error, export or other column of the database contains one."""
    tier1 = operator.with_(**KEYS)
    log_file = tier1.folder / "run.jsonl"
    heard: list[Result] = []

    def run(*arguments: str, code: int = 0, here: bool = False, **environment: str) -> Result:
        done = (tier1.here if here else tier1)(*arguments, **environment)
        assert done.code == code, done
        heard.append(done)
        return done

    with endpoint(http(500, b"no")) as served:
        where = urllib.parse.urlsplit(served.url).netloc
        path = spec_with_secrets(tier1, f"http://me:{MARK}-url@{where}/?access_token={MARK}-query")
        spec = str(path)
        run("deploy", spec, "--dry-run", here=True)
        run("deploy", spec, "--dry-run", "-o", "json", here=True)
        line.rule = quotes_the_request
        run("deploy", spec, "--no-rollback", "--log-file", str(log_file), code=7)
        assert "SignatureDoesNotMatch" in heard[-1].out
        line.rule = passes
        run("resume", "demo", "--log-file", str(log_file), "-o", "json", code=4)
        with Terminal(tier1, "resume", "demo") as terminal:
            terminal.see("What do you want to do with demo?")
            terminal.enter("?\n")
            terminal.see("step: service-door")
            terminal.enter("m\n")
            assert terminal.end() == 4
    for arguments in READS:
        run(*arguments, here=arguments[0] != "rollback")
    run("list", here=True, code=9, TIER1_DATABASE_URL=f"postgresql://me:{MARK}-database@127.0.0.1:1/tier1")
    host = line.url.removeprefix("http://")
    run("deploy", spec, here=True, code=2, AWS_ENDPOINT_URL=f"http://me:{MARK}-endpoint@{host}")
    assert "contains a password" in heard[-1].err
    bad = tier1.folder / "bad.yaml"
    bad.write_text(path.read_text(encoding="utf-8").replace("http://me", "ftp://me"), encoding="utf-8")
    run("deploy", str(bad), here=True, code=2)

    texts = [one.out + one.err for one in heard]
    texts += [terminal.screen, log_file.read_text(encoding="utf-8")]
    assert [text for text in texts if tells(text)] == []
    assert any("http://me:***@" in text for text in texts)
    assert set(columns_with_a_secret(tier1.database)) == NEEDED
