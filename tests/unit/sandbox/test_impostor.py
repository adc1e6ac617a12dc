"""A program that takes the sandbox's port is not trusted, learns nothing, and has no process ended."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest

from tier1_engine.compose import place
from tier1_engine.deployment.place import Place
from tier1_engine.engine.equipment import Equipment
from tier1_engine.errors import Blocked, Refused
from tier1_engine.sandbox.process import ask, proof, remote, routes, server, state
from tier1_engine.sandbox.process.state import STATE_FILE, Record, process_started
from tier1_engine.survey.access import Access, identify

TOKEN = "5ec2e7"
NOT_RUNNING = state.Status(running=False)


@dataclass
class Impostor:
    """Answers every request with `says`, and remembers what it was sent."""

    endpoint: str
    says: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            one.heard.append(f"{self.requestline}\n{self.headers}")
            self.send_response(200)
            for name, value in one.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(one.says).encode())

        def log_message(self, *_: object) -> None:
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    one = Impostor(f"http://127.0.0.1:{listening.server_port}")
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield one
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state directory of this user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield (made := tmp_path / "tier1")
    (made / STATE_FILE).chmod(0o600) if (made / STATE_FILE).exists() else None
    server.stop(made)


def killed(directory: Path, impostor: Impostor) -> Record:
    """The state file of a sandbox that was killed, whose port the impostor has now."""
    directory.mkdir(mode=0o700)
    record = Record(impostor.endpoint, 2_000_000_000, "never", "00", token=TOKEN)
    state.write(directory, record)
    return record


@pytest.mark.field_case(
    "a trial: `sandbox stop` ended the process that another program on the port had named"
)
def test_stop_ends_no_process_that_an_impostor_names(
    directory: Path, impostor: Impostor, bystander: subprocess.Popen[bytes]
) -> None:
    """It repeats the record, which is no secret of its own, with the process that it wants to be ended."""
    record = killed(directory, impostor)
    named = replace(record, pid=bystander.pid, started=process_started(bystander.pid) or "", token="")
    impostor.says = {name: value for name, value in asdict(named).items() if name != "token"}
    assert server.stop(directory) == NOT_RUNNING
    assert bystander.poll() is None
    assert not (directory / STATE_FILE).exists()


@pytest.mark.parametrize("forged", ["", "0" * 64, "é"])
def test_no_impostor_is_taken_for_the_sandbox(directory: Path, impostor: Impostor, forged: str) -> None:
    """Its answer lacks the signature; after that look its port is forgotten."""
    impostor.headers = {proof.PROOF_HEADER: forged}
    record = killed(directory, impostor)
    assert not ask.answers(record)
    with pytest.raises(Blocked, match="does not prove its identity"):
        place.refuse_impostor(impostor.endpoint)
    with pytest.raises(Refused, match="No local AWS is running"):
        remote.census(directory)
    assert server.status(directory) == NOT_RUNNING


def test_what_an_impostor_is_sent_is_of_no_use(directory: Path, impostor: Impostor) -> None:
    """No request carries the token, and the signature holds for that request only."""
    record = killed(directory, impostor)
    assert not ask.answers(record)
    (heard,) = impostor.heard
    assert record.token not in heard
    (header,) = [line.partition(": ")[2] for line in heard.splitlines() if proof.SCHEME in line]
    assert proof.authorized(TOKEN, header, "GET", routes.IDENTITY_PATH, b"")
    for method, path, body in (
        ("POST", routes.IDENTITY_PATH, b""),
        ("GET", routes.CENSUS_PATH, b""),
        ("GET", routes.IDENTITY_PATH, b"{}"),
    ):
        assert proof.authorized(TOKEN, header, method, path, body) is None
    nonce = header.split()[1]
    assert not proof.proved(TOKEN, nonce, 200, b"{}", header.split()[2])


def test_a_sweep_leaves_its_place_out(directory: Path, impostor: Impostor) -> None:
    """Nothing is concluded from what an impostor answers; other places are swept."""
    killed(directory, impostor)
    where = Place("123456789012", "us-east-1", "", impostor.endpoint)

    def equipment(asked: Place) -> Equipment:
        place.refuse_impostor(asked.endpoint)
        raise AssertionError("an impostor was trusted")

    gap = identify(Access(equipment, lambda _: None), where)
    assert gap is not None
    assert gap.blocked
    assert "does not prove its identity" in gap.message


@pytest.mark.usefixtures("forked_sandboxes")
def test_deploy_starts_its_own_instead_of_an_impostor(directory: Path, impostor: Impostor) -> None:
    """`--sandbox` finds the port of a killed one taken, and uses another."""
    killed(directory, impostor)
    endpoint = place.start_sandbox()
    assert endpoint != impostor.endpoint
    place.refuse_impostor(endpoint)
    assert server.status(directory).endpoint == endpoint


@pytest.mark.parametrize("mode", [0o644, 0o620])
def test_a_state_file_that_others_may_write_or_read_ends_no_process(
    directory: Path, bystander: subprocess.Popen[bytes], mode: int
) -> None:
    """Whoever wrote it could name any process; the sentence says what to do."""
    directory.mkdir(mode=0o700)
    started = process_started(bystander.pid) or ""
    state.write(directory, Record("http://127.0.0.1:1", bystander.pid, started, "00", token=TOKEN))
    (directory / STATE_FILE).chmod(mode)
    for command in (server.stop, server.status, server.start):
        with pytest.raises(Refused, match=rf"is not private \(its mode is {mode:04o}, not 0600\).*delete"):
            command(directory)
    assert bystander.poll() is None
    (directory / STATE_FILE).unlink()


def test_a_link_in_place_of_the_state_file_is_refused(directory: Path, tmp_path: Path) -> None:
    """It may point to a file of somebody else's."""
    directory.mkdir(mode=0o700)
    (directory / STATE_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="is not private"):
        server.status(directory)
    (directory / STATE_FILE).unlink()
