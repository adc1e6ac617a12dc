"""Says which profiles of the AWS config files need a person: for an MFA code, or to sign in by browser.

Pure: it reads what botocore has parsed. Source: "Assume role" and "IAM Identity Center" credential providers
of the AWS SDKs and Tools Reference Guide, for `source_profile`, `mfa_serial`, `sso_session`, `sso_start_url`;
"Login for AWS local development using console credentials" of the AWS CLI's guide, for `login_session`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Profiles = Mapping[str, Mapping[str, Any]]

MFA_KEY = "mfa_serial"
SSO_KEYS = frozenset({"sso_session", "sso_start_url"})
LOGIN_KEY = "login_session"
PROCESS_KEY = "credential_process"


def chain(profiles: Profiles, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a profile, then the source of its credentials, and so on, each once."""
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        yield name, profiles[name]
        name = str(profiles[name].get("source_profile", ""))


def asks_for_a_code(profiles: Profiles, name: str) -> bool:
    """Whether an MFA code is needed for the credentials of a profile."""
    return any(MFA_KEY in section for _, section in chain(profiles, name))


def runs_a_program(profiles: Profiles, name: str) -> bool:
    """Whether a program of the user's, which may ask something itself, gives the credentials of a profile."""
    return any(PROCESS_KEY in section for _, section in chain(profiles, name))


def sign_in_command(profiles: Profiles, name: str) -> tuple[str, ...]:
    """Return the `aws` command that signs a profile in by browser; empty if that is not how it signs in."""
    for source, section in chain(profiles, name):
        if SSO_KEYS & set(section):
            return ("aws", "sso", "login", "--profile", source)
        if LOGIN_KEY in section:
            return ("aws", "login", "--profile", source)
    return ()
