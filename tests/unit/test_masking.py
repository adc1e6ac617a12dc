"""Secrets are recognised and masked completely."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tier1_engine.masking import has_password, masked, masked_text

SCRIPT = "export PASSWORD='a$b'"
DIGEST = hashlib.sha256(SCRIPT.encode()).hexdigest()


@pytest.mark.parametrize(
    "user_data",
    [
        SCRIPT,
        {"path": "boot.sh", "sha256": "x", "text": SCRIPT},
        {"script": SCRIPT, "mount_path": "/mnt"},
    ],
)
def test_user_data_becomes_its_digest_everywhere(user_data: Any) -> None:
    """It may be in a spec, a step's inputs or a request, at any depth."""
    found = masked({"instance": [{"user_data": user_data}]})
    assert found == {"instance": [{"user_data": {"sha256": DIGEST}}]}


def test_no_user_data_stays_none() -> None:
    """No digest is invented."""
    assert masked({"user_data": None}) == {"user_data": None}
    assert list(masked({"user_data": {"script": None, "mount_path": "/mnt"}})["user_data"]) == ["sha256"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:hidden@{public_ip}/", "http://me:***@{public_ip}/"),
        ("postgresql://me:p%40ss@db/x", "postgresql://me:***@db/x"),
        ("http://h/?a=1&api_key=hidden&b=2", "http://h/?a=1&api_key=***&b=2"),
        ("http://h/?X-Amz-Signature=hidden#top", "http://h/?X-Amz-Signature=***#top"),
        ("http://h/job#access_token=hidden", "http://h/job#access_token=***"),
        ("http://h:8080/healthz?page=2", "http://h:8080/healthz?page=2"),
        ("a note: at 10:30 me@home", "a note: at 10:30 me@home"),
    ],
)
def test_a_secret_in_a_url_is_hidden_and_the_rest_is_not(url: str, shown: str) -> None:
    """Secrets are passwords and query values whose name says so."""
    assert masked([url]) == [shown]


def test_the_keys_of_this_process_are_masked_everywhere() -> None:
    """AWS quotes a session token when a signature does not match; dummy keys are not masked."""
    keys = {"AWS_SECRET_ACCESS_KEY": "k" * 40, "AWS_SESSION_TOKEN": "t" * 200}
    said = f"signed with {'k' * 40}\nx-amz-security-token:{'t' * 200}\nhost:aws"
    assert masked_text(said, keys) == "signed with ***\nx-amz-security-token:***\nhost:aws"
    assert masked_text("in the sandbox", {"AWS_SECRET_ACCESS_KEY": "sandbox"}) == "in the sandbox"


def test_a_signed_token_is_masked_even_if_its_value_is_unknown() -> None:
    """It may come from a profile or a role."""
    assert masked_text("X-Amz-Security-Token: abc/def= and more", {}) == "X-Amz-Security-Token: *** and more"


@pytest.mark.parametrize(("url", "has"), [("http://me:x@h/", True), ("http://me@h/", False), ("", False)])
def test_a_url_says_whether_it_has_a_password(url: str, has: bool) -> None:
    """An endpoint with a password is refused."""
    assert has_password(url) is has
