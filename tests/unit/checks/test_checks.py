"""The health checks: each answers passed, not yet, failed for good, or unknown at this endpoint."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.scripted_cloud import ScriptedCloud, local_aws, refusal
from tier1_engine.checks import discover
from tier1_engine.checks._addresses import filled
from tier1_engine.checks.efs_mount import EfsMount, judge_marks
from tier1_engine.checks.http import Http
from tier1_engine.checks.instance_status import InstanceStatus
from tier1_engine.checks.tcp import Tcp
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import CONSOLE_FACT, Observation, Presence
from tier1_engine.errors import CallError

INSTANCE = "i-0123456789abcdef0"
NOWHERE = ScriptedCloud()
LOCAL = {"public_ip": "127.0.0.1", "private_ip": "127.0.0.1"}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with local_aws(monkeypatch) as found:
        yield found


def code(observation: Observation) -> str | None:
    return observation.problem.code if observation.problem else None


def launched(cloud: Cloud) -> str:
    reply = cloud.change("ec2", "run_instances", ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1)
    return str(reply["Instances"][0]["InstanceId"])


def test_the_checks_are_discovered() -> None:
    """Adding a check changes only its own file."""
    assert set(discover()) == {"instance_status", "efs_mount", "http", "tcp"}


# --- instance status


def status(state: str = "running", of_instance: str | None = "ok", of_system: str | None = "ok") -> Any:
    shown = {
        "InstanceId": INSTANCE,
        "InstanceState": {"Name": state},
        "InstanceStatus": {"Status": of_instance} if of_instance else {},
        "SystemStatus": {"Status": of_system} if of_system else {},
    }
    return {"InstanceStatuses": [shown]}


@pytest.mark.parametrize(
    ("answer", "presence", "expected"),
    [
        (status(), Presence.READY, None),
        (status(of_instance="initializing"), Presence.PENDING, "StatusPending"),
        (status(of_system="insufficient-data"), Presence.PENDING, "StatusPending"),
        (status(of_instance="impaired"), Presence.PENDING, "StatusImpaired"),
        (status("terminated", "not-applicable", "not-applicable"), Presence.BROKEN, "InstanceNotRunning"),
        (status("stopped", "not-applicable", "not-applicable"), Presence.BROKEN, "InstanceNotRunning"),
        (status(of_instance=None, of_system=None), Presence.UNKNOWN, "NotSupportedHere"),
        ({"InstanceStatuses": []}, Presence.UNKNOWN, "NotSupportedHere"),
        (refusal("InvalidAction"), Presence.UNKNOWN, "NotSupportedHere"),
        (refusal("InvalidInstanceID.NotFound"), Presence.PENDING, "InvalidInstanceID.NotFound"),
    ],
)
def test_the_instance_status_decides(answer: Any, presence: Presence, expected: str | None) -> None:
    """Both of EC2's checks must pass; an impaired one may recover until the deadline; a terminated instance
    fails.
    """
    observation = InstanceStatus().look(
        ScriptedCloud(describe_instance_status=answer), {"instance_id": INSTANCE}
    )
    assert (observation.presence, code(observation)) == (presence, expected)


def test_a_refused_status_is_an_error() -> None:
    """Permission denied says nothing about the instance."""
    with pytest.raises(CallError):
        InstanceStatus().look(
            ScriptedCloud(describe_instance_status=refusal("UnauthorizedOperation")),
            {"instance_id": INSTANCE},
        )


def test_a_running_instance_on_a_local_aws_passes(cloud: Cloud) -> None:
    """The endpoint knows the call."""
    observation = InstanceStatus().look(cloud, {"instance_id": launched(cloud)})
    assert observation.presence is Presence.READY


# --- the mount, by the console


@pytest.mark.parametrize(
    ("text", "presence", "expected"),
    [
        ("", Presence.PENDING, "NoConsoleOutput"),
        ("[ 0.0] Linux version 6.1\n", Presence.PENDING, "NoConsoleOutput"),
        ("tier1: begin\n", Presence.PENDING, "NotMounted"),
        ("tier1: begin\r\ntier1: mounted\r\n", Presence.PENDING, "UserDataRunning"),
        ("tier1: begin\ntier1: mounted\nnoise\ntier1: ready\n", Presence.READY, None),
        ("(the beginning is cut off)\ntier1: ready\n", Presence.READY, None),
        ("tier1: begin\ntier1: user-data-failed 302\n", Presence.BROKEN, "UserDataFailed"),
        ("tier1: begin\ntier1: mounted\ntier1: user-data-failed 1\n", Presence.BROKEN, "UserDataFailed"),
        ("echo tier1: ready\n", Presence.PENDING, "NoConsoleOutput"),
        ("tier1: ready to go\n", Presence.PENDING, "NoConsoleOutput"),
        ("Linux version 2.6.16-xenU (builder@x)\n", Presence.UNKNOWN, "NotSupportedHere"),
        ("Linux version 2.6.16-xenU\ntier1: ready\n", Presence.READY, None),
    ],
)
def test_marks_are_whole_lines(text: str, presence: Presence, expected: str | None) -> None:
    """A failed mount or script is never missed; text that mentions a mark is none."""
    observation = judge_marks(text)
    assert (observation.presence, code(observation)) == (presence, expected)


def test_a_failure_shows_the_end_of_the_console_up_to_its_mark() -> None:
    """The failed command's output is just before it; a passed check shows nothing."""
    many = "".join(f"line {number}\n" for number in range(100))
    observation = judge_marks(f"{many}mount: no such host\ntier1: user-data-failed 302\nlogin:")
    shown = observation.facts[CONSOLE_FACT].splitlines()
    assert shown[-2:] == ["mount: no such host", "tier1: user-data-failed 302"]
    assert (len(shown), shown[0]) == (40, "line 62")
    assert not judge_marks(f"{many}tier1: ready").facts


def test_a_failed_script_is_reported_with_its_code() -> None:
    """The operator sees the code, and whether EFS was mounted by then."""
    before = judge_marks("tier1: user-data-failed 302")
    after = judge_marks("tier1: mounted\ntier1: user-data-failed 7")
    assert before.problem is not None
    assert after.problem is not None
    assert "code 302 (the file system could not be mounted), and EFS is not mounted" in before.problem.message
    assert "code 7 (the user's script exited with status 7), after EFS was mounted" in after.problem.message


@pytest.mark.parametrize(
    ("answer", "presence"),
    [
        ({"Output": "tier1: ready"}, Presence.READY),
        (refusal("InvalidAction"), Presence.UNKNOWN),
        (refusal("UnsupportedOperation"), Presence.UNKNOWN),
        (refusal("InvalidInstanceID.NotFound"), Presence.PENDING),
    ],
)
def test_an_endpoint_without_console_output_makes_it_unknown(answer: Any, presence: Presence) -> None:
    """What cannot be observed is a warning, neither a failure nor a mount."""
    cloud = ScriptedCloud(get_console_output=answer)
    assert EfsMount().look(cloud, {"instance_id": INSTANCE, "method": "console"}).presence is presence


LAUNCHED = datetime(2026, 1, 1, tzinfo=UTC)
CHATTER = "[ 99.0] sshd: a line\n"
LOST_MARKS = [(CHATTER * 3500, LAUNCHED + timedelta(minutes=5)), (CHATTER, LAUNCHED + timedelta(days=1))]


def without_marks(text: str, shown_at: datetime, **ssm: Any) -> ScriptedCloud:
    return ScriptedCloud(
        get_console_output={"Output": text, "Timestamp": shown_at},
        describe_instances={"Reservations": [{"Instances": [{"LaunchTime": LAUNCHED}]}]},
        **ssm,
    )


@pytest.mark.field_case(
    "a trial: the console had scrolled by the next day, and a working stack was rolled back"
)
@pytest.mark.parametrize(("text", "shown_at"), LOST_MARKS, ids=["scrolled", "rebooted"])
def test_where_the_console_lost_the_marks_systems_manager_is_asked(text: str, shown_at: datetime) -> None:
    """Field case: a resume the next day found no marks, and rolled back a working stack."""
    cloud = without_marks(
        text, shown_at, list_commands={"Commands": []}, send_command={"Command": {"Status": "Success"}}
    )
    inputs = {"instance_id": INSTANCE, "method": "console", "mount_path": "/mnt/efs"}
    assert EfsMount().look(cloud, inputs).presence is Presence.READY


@pytest.mark.parametrize(("text", "shown_at"), LOST_MARKS, ids=["scrolled", "rebooted"])
@pytest.mark.parametrize("code", ["InvalidInstanceId", "AccessDeniedException", "UnsupportedOperation"])
def test_without_systems_manager_lost_marks_are_unknown(text: str, shown_at: datetime, code: str) -> None:
    """A warning: nothing says that the stack does not work."""
    cloud = without_marks(text, shown_at, list_commands={"Commands": []}, send_command=refusal(code))
    inputs = {"instance_id": INSTANCE, "method": "console", "mount_path": "/mnt/efs"}
    seen = EfsMount().look(cloud, inputs)
    assert seen.presence is Presence.UNKNOWN
    assert seen.problem is not None
    assert "whether /mnt/efs is mounted was not checked" in seen.problem.message


def test_a_young_console_without_marks_is_waited_for() -> None:
    """The user data has not begun yet."""
    cloud = without_marks(CHATTER, LAUNCHED + timedelta(minutes=5))
    inputs = {"instance_id": INSTANCE, "method": "console", "mount_path": "/mnt/efs"}
    assert EfsMount().look(cloud, inputs).presence is Presence.PENDING


def test_a_refused_console_is_an_error() -> None:
    """Permission denied says nothing about the mount."""
    cloud = ScriptedCloud(get_console_output=refusal("UnauthorizedOperation"))
    with pytest.raises(CallError):
        EfsMount().look(cloud, {"instance_id": INSTANCE, "method": "console"})


def test_the_sample_text_of_a_local_aws_is_unknown(cloud: Cloud) -> None:
    """It returns the API reference's sample for every instance, which says nothing about this one."""
    inputs = {"instance_id": launched(cloud), "method": "console"}
    assert EfsMount().look(cloud, inputs).presence is Presence.UNKNOWN


# --- the mount, by Systems Manager

BY_COMMAND = {"instance_id": INSTANCE, "method": "ssm", "mount_path": "/mnt/my files"}
COMMENT = "tier1: is /mnt/my files mounted"


def command(status: str, minute: int = 0, comment: str = COMMENT) -> dict[str, Any]:
    asked = datetime(2026, 1, 1, 12, minute, tzinfo=UTC)
    return {"Status": status, "Comment": comment, "RequestedDateTime": asked}


@pytest.mark.parametrize(
    ("commands", "presence", "sends"),
    [
        ([], Presence.PENDING, True),
        ([command("Success", comment="somebody else's")], Presence.PENDING, True),
        ([command("Pending")], Presence.PENDING, False),
        ([command("InProgress", 5), command("Failed", 1)], Presence.PENDING, False),
        ([command("Failed", 1), command("Success", 5)], Presence.READY, False),
        ([command("Failed")], Presence.PENDING, True),
        ([command("TimedOut")], Presence.PENDING, True),
    ],
)
def test_the_last_command_decides(commands: list[Any], presence: Presence, sends: bool) -> None:
    """Systems Manager stores it: no read waits, and a new one is sent only when none is under way."""
    cloud = ScriptedCloud(list_commands={"Commands": commands}, send_command={"Command": command("Pending")})
    assert EfsMount().look(cloud, BY_COMMAND).presence is presence
    assert bool(cloud.changes) is sends


@pytest.mark.field_case("a replaced script: Systems Manager runs `sh`, not bash")
def test_the_command_only_reads_and_quotes_the_path() -> None:
    """The document runs sh; a path is never more than one word to it."""
    cloud = ScriptedCloud(list_commands={"Commands": []}, send_command={"Command": command("Pending")})
    EfsMount().look(cloud, BY_COMMAND)
    ((_, sent),) = cloud.changes
    assert sent["Parameters"]["commands"] == ["mountpoint -q '/mnt/my files'"]


@pytest.mark.parametrize(
    ("failure", "presence"),
    [
        (refusal("InvalidInstanceId"), Presence.PENDING),
        (refusal("UnknownOperationException"), Presence.UNKNOWN),
    ],
)
def test_a_missing_agent_is_waited_for(failure: CallError, presence: Presence) -> None:
    """It registers minutes after the boot; an endpoint that runs no commands makes the result unknown."""
    for answers in (
        {"list_commands": failure},
        {"list_commands": {"Commands": []}, "send_command": failure},
    ):
        assert EfsMount().look(ScriptedCloud(**answers), BY_COMMAND).presence is presence


def test_a_refused_command_is_an_error() -> None:
    """Permission denied says nothing about the mount."""
    with pytest.raises(CallError):
        EfsMount().look(ScriptedCloud(list_commands=refusal("AccessDeniedException")), BY_COMMAND)


def test_a_command_on_a_local_aws_passes_at_once(cloud: Cloud) -> None:
    """Readiness that is there at once is seen at once."""
    inputs = {**BY_COMMAND, "instance_id": launched(cloud)}
    assert EfsMount().look(cloud, inputs).presence is Presence.READY


# --- services


@contextmanager
def serving(reply: bytes | None) -> Iterator[int]:
    """Run a server on a free loopback port that answers every request with `reply`, or, with None, never."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                if reply is not None:
                    connection.recv(65_536)
                    connection.sendall(reply)
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)
            for connection in held:
                connection.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("reply", "presence", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", Presence.READY, None),
        (b"HTTP/1.0 204 No Content\r\n\r\n", Presence.READY, None),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", Presence.READY, None),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Presence.PENDING, "HTTP404"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Presence.PENDING, "HTTP503"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Presence.PENDING, "NotHttp"),
        (b"x" * 10_000, Presence.PENDING, "NotHttp"),
        (b"", Presence.PENDING, "NotHttp"),
    ],
)
def test_the_status_line_decides(reply: bytes, presence: Presence, expected: str | None) -> None:
    """2xx and 3xx pass without following a redirect, and anything else is not yet."""
    with serving(reply) as port:
        observation = Http().look(NOWHERE, {"url": f"http://{{public_ip}}:{port}/healthz?a=1", **LOCAL})
    assert (observation.presence, code(observation)) == (presence, expected)


def test_a_service_that_never_answers_takes_a_bounded_time() -> None:
    """Neither silence nor a missing certificate extends a read."""
    with serving(None) as port:
        for scheme in ("http", "https"):
            observation = Http(look_seconds=0.1).look(NOWHERE, {"url": f"{scheme}://127.0.0.1:{port}/"})
            assert (observation.presence, code(observation)) == (Presence.PENDING, "NotConnected")


def test_after_its_deadline_nothing_is_read() -> None:
    """The deadline covers connecting and waiting together."""
    with serving(b"") as port:
        observation = Http(look_seconds=1e-9).look(NOWHERE, {"url": f"http://127.0.0.1:{port}"})
    assert code(observation) == "NotConnected"


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://127.0.0.1:{port}/a path", "http://[::"])
def test_an_unreachable_service_is_not_yet(url: str) -> None:
    """For a closed port or an invalid URL the operator sees the reason."""
    observation = Http().look(NOWHERE, {"url": url.replace("{port}", str(closed_port()))})
    assert (observation.presence, code(observation)) == (Presence.PENDING, "NotConnected")


def test_a_closed_port_is_reported_in_words_and_once() -> None:
    """The message has no errno."""
    port = closed_port()
    for check, where in ((Http(), f"http://127.0.0.1:{port}/"), (Tcp(), f"127.0.0.1:{port}")):
        observation = check.look(NOWHERE, {"url": where, "tcp": where})
        assert observation.problem is not None
        assert observation.problem.message.endswith(": Connection refused.")


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service itself is called, whatever proxy the shell names."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port()}")
    with serving(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert Http().look(NOWHERE, {"url": f"http://127.0.0.1:{port}/"}).presence is Presence.READY


def test_a_port_that_accepts_connections_passes() -> None:
    """TCP only needs the connection."""
    inputs: Mapping[str, Any] = LOCAL
    with serving(None) as port:
        observation = Tcp().look(NOWHERE, {"tcp": f"{{private_ip}}:{port}", **inputs})
    assert observation.presence is Presence.READY
    for where in (f"{{private_ip}}:{closed_port()}", "{private_ip}:no-port"):
        observation = Tcp().look(NOWHERE, {"tcp": where, **inputs})
        assert (observation.presence, code(observation)) == (Presence.PENDING, "NotConnected")


def test_an_unknown_address_is_waited_for() -> None:
    """A template is never sent with a placeholder in it."""
    unknown = {"public_ip": None, "private_ip": ""}
    for observation in (
        Http().look(NOWHERE, {"url": "http://{public_ip}/", **unknown}),
        Tcp().look(NOWHERE, {"tcp": "{private_ip}:22", **unknown}),
    ):
        assert (observation.presence, code(observation)) == (Presence.PENDING, "AddressUnknown")


def test_only_the_two_placeholders_are_replaced() -> None:
    """Other braces in a path stay; an address is needed only where it is named."""
    assert filled("http://{private_ip}/{x}?{}", {"private_ip": "10.0.0.1"}) == "http://10.0.0.1/{x}?{}"
