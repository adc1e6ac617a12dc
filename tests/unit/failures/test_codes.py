"""Each code is in one list, and every module uses that list."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.retries import standard

import tier1_engine
from tier1_engine.aws.errors import Call, translate
from tier1_engine.contract.kind import Kind
from tier1_engine.deployment.states import Action
from tier1_engine.errors import Acted, CallError
from tier1_engine.failures import codes, final_codes
from tier1_engine.failures.calls import Verdict, judge

PACKAGE = Path(tier1_engine.__file__).parent
COMPOSED = {"BLOCKED_CODES", "NEVER_ANSWERED"}
"""Lists that are made of other lists."""
LISTS = {
    **{name: found for name, found in vars(codes).items() if isinstance(found, frozenset)},
    **{f"FINAL_CODES[{about}]": found for about, found in final_codes.FINAL_CODES.items()},
}
CHECKERS: Any = standard
THROTTLED: list[str] = getattr(CHECKERS.ThrottledRetryableChecker, "_THROTTLED_ERROR_CODES")  # noqa: B009 - private
TRANSIENT: list[str] = getattr(CHECKERS.TransientRetryableChecker, "_TRANSIENT_ERROR_CODES")  # noqa: B009 - private


def test_no_code_stands_in_two_lists() -> None:
    """A new code that is already listed is found here."""
    counted = Counter(code for name, found in LISTS.items() if name not in COMPOSED for code in found)
    assert [code for code, times in counted.items() if times > 1] == []


def test_no_other_module_lists_these_codes() -> None:
    """A kind declares codes of its own calls; the local AWS returns codes and judges none."""
    shared = {c for name, found in LISTS.items() if not name.startswith("FINAL") for c in found}
    drifted = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0]
        if room in ("failures", "sandbox", "guidance", "resources"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Set | ast.List | ast.Tuple):
                named = {one.value for one in node.elts if isinstance(one, ast.Constant)}
                if len(named & shared) > 1:
                    drifted.append(f"{path}:{node.lineno}")
    assert drifted == []


@pytest.mark.parametrize("code", sorted({*THROTTLED, *TRANSIENT, "TooManyRequests"}))
@pytest.mark.parametrize("action", Action)
def test_what_botocore_would_retry_is_transient(code: str, action: Action) -> None:
    """This holds for every call, whether or not its references are young."""
    error = CallError(code, "", operation="CreateVpc", acted=Acted.REFUSED, http_status=400)
    kind: Kind | None = None
    assert {judge(error, action, kind, young=young) for young in (True, False)} == {Verdict.TRANSIENT}


@pytest.mark.parametrize("code", sorted(codes.THROTTLE_CODES))
@pytest.mark.parametrize("status", [400, 429, 503])
def test_a_throttle_in_transport_is_a_throttle_in_the_table(code: str, status: int) -> None:
    """AWS did not act, whatever the status, so no search is needed before the next attempt."""
    call = Call("CreateVpc", sent=True, status=status)
    reply = {"Error": {"Code": code, "Message": "slow"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = translate(ClientError(reply, "CreateVpc"), call)  # type: ignore[arg-type]
    assert isinstance(error, CallError)
    assert error.acted is Acted.REFUSED
    assert judge(error, Action.CREATE, None, young=False) is Verdict.TRANSIENT
