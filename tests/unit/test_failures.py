"""What a failed call means: the table of failures, code by code."""

from __future__ import annotations

import pytest

from tests.simulation.kinds import SimKind
from tier1_engine.errors import Acted, CallError
from tier1_engine.failures import (
    BLOCKED_CODES,
    NEVER_ANSWERED,
    SERVER_CODES,
    THROTTLE_CODES,
    UNSUPPORTED_CODES,
    Verdict,
    is_unsupported,
    judge,
)
from tier1_engine.states import Action

KIND = SimKind("net")


def error(code: str, acted: Acted = Acted.REFUSED, status: int | None = 400) -> CallError:
    return CallError(code, "words that are never matched", operation="Do", acted=acted, http_status=status)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        (BLOCKED_CODES, Verdict.BLOCKED),
        (THROTTLE_CODES | NEVER_ANSWERED | SERVER_CODES, Verdict.TRANSIENT),
        ({"PermitRefused"}, Verdict.STOPPED),
        (
            {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "VpcLimitExceeded"},
            Verdict.FATAL,
        ),
    ],
)
def test_common_codes_mean_the_same_for_every_call(codes: set[str], verdict: Verdict, action: Action) -> None:
    """Credentials block, throttles and silence are tried again, a missing permission is final."""
    for code in codes:
        assert judge(error(code), action, KIND, young=False) is verdict
        assert judge(error(code), action, None, young=True) is verdict


def test_the_contracts_blocked_codes_are_all_there() -> None:
    """DESIGN section 8, `Blocked are`."""
    assert {
        "RequestExpired",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "OptInRequired",
        "SubscriptionRequiredException",
        "NoCredentials",
    } <= BLOCKED_CODES


@pytest.mark.parametrize(
    ("status", "acted"), [(500, Acted.REFUSED), (503, Acted.REFUSED), (None, Acted.UNKNOWN)]
)
def test_unheard_of_codes_are_tried_again_when_aws_itself_failed(status: int | None, acted: Acted) -> None:
    """A server error or an unknown end is worth another look."""
    assert judge(error("Odd", acted, status), Action.CREATE, KIND, young=False) is Verdict.TRANSIENT


@pytest.mark.parametrize(
    ("code", "action", "young", "verdict"),
    [
        ("AlreadyExists", Action.CREATE, False, Verdict.EXISTS),
        ("AlreadyExists", Action.CONFIGURE, False, Verdict.FATAL),
        ("IdempotentParameterMismatch", Action.CREATE, False, Verdict.EXISTS),
        ("NoCapacity", Action.CREATE, False, Verdict.EXHAUSTED),
        ("NoCapacity", Action.DELETE, False, Verdict.FATAL),
        ("DependencyViolation", Action.DELETE, False, Verdict.IN_USE),
        ("DependencyViolation", Action.CREATE, False, Verdict.FATAL),
        ("Thing.NotFound", Action.DELETE, False, Verdict.GONE),
        ("Thing.NotFound", Action.DESCRIBE, False, Verdict.FATAL),
        ("InvalidReference.NotFound", Action.CREATE, True, Verdict.UNSEEN),
        ("InvalidReference.NotFound", Action.CONFIGURE, True, Verdict.UNSEEN),
        ("InvalidReference.NotFound", Action.CREATE, False, Verdict.FATAL),
    ],
)
def test_what_a_kind_declares_counts_for_the_calls_it_is_about(
    code: str, action: Action, young: bool, verdict: Verdict
) -> None:
    """The same code of another call means nothing special."""
    assert judge(error(code), action, KIND, young=young) is verdict


def test_a_call_that_an_endpoint_does_not_know_is_told_by_code_or_status() -> None:
    """Only an emulator answers so."""
    assert all(is_unsupported(error(code)) for code in UNSUPPORTED_CODES)
    assert is_unsupported(error("Odd", status=501))
    assert not is_unsupported(error("UnauthorizedOperation"))


def test_no_code_has_two_meanings() -> None:
    """The tables are disjoint."""
    tables = [BLOCKED_CODES, THROTTLE_CODES, NEVER_ANSWERED, SERVER_CODES]
    assert sum(map(len, tables)) == len(frozenset().union(*tables))
