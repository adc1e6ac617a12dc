"""What the call behaviours add to a call of the local AWS, against plain moto in the same run.

    python -m benchmarks.sandbox_layer [--calls N]

Prints one JSON object: for each operation the median of both in milliseconds, and of their difference, in
wall time and in processor time (of client and server, which are one process). Both answer over a socket
alternately, so that other load on the host affects both.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from tier1_engine.sandbox.process.local import new_world, plain, strict

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

SEED = 1
IMAGE = "ami-12c6146b"
TAGS = [{"Key": f"key-{number}", "Value": "value"} for number in range(8)]
LAUNCH = {
    "ImageId": IMAGE,
    "InstanceType": "t3.medium",
    "MinCount": 1,
    "MaxCount": 1,
    "UserData": "x" * 12_000,
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeSize": 30}}],
    "TagSpecifications": [
        {"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "volume", "network-interface")
    ],
}
CALLS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "DescribeVpcs": ("ec2", lambda c: c.describe_vpcs(Filters=[{"Name": "tag:a", "Values": ["b"]}])),
    "RunInstances": ("ec2", lambda c: c.run_instances(**LAUNCH)),
    "CreateSecurityGroup": (
        "ec2",
        lambda c: c.create_security_group(GroupName=f"g{time.perf_counter_ns()}", Description="d"),
    ),
    "CreateFileSystem": ("efs", lambda c: c.create_file_system(Encrypted=True)),
    "GetCallerIdentity": ("sts", lambda c: c.get_caller_identity()),
    "ListRoles": ("iam", lambda c: c.list_roles()),
    "DescribeParameters": ("ssm", lambda c: c.describe_parameters()),
}


@contextmanager
def served(application: WSGIApplication) -> Iterator[str]:
    """Its endpoint while it is served."""
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def client(service: str, endpoint: str) -> Any:
    """A client that never retries."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",  # noqa: S106 - opens nothing
        config=Config(retries={"total_max_attempts": 1}),
    )


def measure(calls: int) -> dict[str, dict[str, float]]:
    """Milliseconds by operation: plain, strict, and what is added."""
    found = {}
    with (
        served(plain(SEED).application) as plain_at,
        served(strict(new_world(SEED), objects=False).application) as strict_at,
    ):
        for operation, (service, call) in CALLS.items():
            clients = client(service, plain_at), client(service, strict_at)
            pairs = [(_took(call, clients[0]), _took(call, clients[1])) for _ in range(calls)]
            found[operation] = {
                "plain": _median(one.wall for one, _ in pairs),
                "strict": _median(two.wall for _, two in pairs),
                "added": _median(two.wall - one.wall for one, two in pairs),
                "added_cpu": _median(two.cpu - one.cpu for one, two in pairs),
            }
    return found


@dataclass(frozen=True, slots=True)
class Took:
    """The duration of one call in milliseconds."""

    wall: float
    cpu: float


def _took(call: Callable[[Any], Any], client: Any) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    call(client)
    return Took((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000)


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox_layer")
    parser.add_argument("--calls", type=int, default=50, help="of each operation to each of both")
    calls = parser.parse_args().calls
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    print(json.dumps({"calls": calls, "milliseconds": measure(calls)}, indent=2))


if __name__ == "__main__":
    main()
