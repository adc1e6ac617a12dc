"""The settings of a test run from its environment. Owns the names of its variables."""

from __future__ import annotations

import fcntl
import os
import signal
import termios

POSTGRES_URL = "TIER1_TEST_POSTGRES_URL"
LONG = "TIER1_TEST_LONG"
SANDBOX = "TIER1_TEST_SANDBOX"

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    # No credentials are requested over the network, and no file of the user is read.
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def in_ci() -> bool:
    """Whether a skip would hide that a half was never run."""
    return os.environ.get("CI", "").strip().lower() not in ("", "0", "false")


def on_plain_moto() -> bool:
    """Whether the commands are tested on plain moto, without AWS's behaviour (`make plain`)."""
    return os.environ.get(SANDBOX, "") == "plain"


def hear_signals() -> None:
    """Give signals their usual effect in a process that is about to start.

    A test run under nohup ignores hang-ups, one that a script put into the background ignores Ctrl-C, and
    what it starts would do the same.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def take_the_terminal() -> None:
    """The same, in one that owns the terminal that is its standard input: Ctrl-C reaches only the owner."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    hear_signals()
