"""Keeps web pages out of the local AWS: it serves the programs of this host, and no browser.

Owns which requests are refused before anything reads them. A page of any site can send requests to loopback,
and read the answers where a server allows other origins (moto does) or a name is rebound to 127.0.0.1. AWS's
SDKs and CLI never send the headers by which a browser is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOCAL_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
LOCAL_SUFFIX: Final = ".localhost"
"""No resolver answers with another host for these names (RFC 6761)."""
MOTO_PATH: Final = "/moto-api"
"""moto's own pages: they empty the account, and show everything in it."""
CORS_PREFIX: Final = "access-control-"


def for_programs(application: WSGIApplication) -> WSGIApplication:
    """`application`, for clients that are no browser and address this host by a local name."""

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if why := _refusal(environ):
            return _answer(start_response, "403 Forbidden", why)
        if environ.get("PATH_INFO", "").startswith(MOTO_PATH):
            return _answer(start_response, "404 Not Found", "The local AWS has no such page.")
        return application(environ, _without_cors(start_response))

    return guarded


def _refusal(environ: WSGIEnvironment) -> str | None:
    """Why the request is not a local program's; None when it may be one."""
    if "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none":
        return "The local AWS answers no web page."
    name = _name(environ.get("HTTP_HOST", ""))
    if name not in LOCAL_NAMES and not name.endswith(LOCAL_SUFFIX):
        return "The local AWS answers only to 127.0.0.1 and localhost."
    return None


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _answer(start_response: StartResponse, status: str, sentence: str) -> Iterable[bytes]:
    body = f"{sentence}\n".encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def _without_cors(start_response: StartResponse) -> StartResponse:
    """Allow no other origin to read an answer, whatever moto would allow."""

    def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
        own = [(name, value) for name, value in headers if not name.lower().startswith(CORS_PREFIX)]
        return start_response(status, own, *more)

    return started
