"""The JSON gateway of etcd's API v3: calls, their errors, and the token that they need."""

from __future__ import annotations

import json

from cp.catalog.etcd.records import ApiMissing, parse_object
from cp.catalog.protocol import CatalogError, CatalogGarbage, CatalogRefused, CatalogUnreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cp.catalog.etcd.endpoints import Endpoints
    from cp.catalog.http.client import Response
    from cp.catalog.http.line_stream import LineStream
    from cp.plan import EtcdSettings

# Codes of gRPC in error responses.
NOT_FOUND, DENIED, PRECONDITION, UNAUTHENTICATED = 5, 7, 9, 16
# A deadline, exhausted resources, a compaction or the end of a lease between two calls, no leader: retry later.
RETRYABLE = (4, NOT_FOUND, 8, 11, 14)
# A token is refused with one of these codes: it is missing, or users were changed since.
NEEDS_TOKEN = ("user name is empty", "invalid auth token", "revision of auth store is old", "old auth revision")


class Gateway:
    """`root` is its path, such as /v3. A method is the rest of a path, such as "kv/put"."""

    def __init__(self, settings: EtcdSettings, endpoints: Endpoints, root: str) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._root = root
        self._token: str | None = None  # None: not requested yet; "": the server needs none

    def call(self, method: str, request: dict[str, object]) -> dict[str, Any]:
        """The response. CatalogError if it reports an error."""
        answer = self.ask(method, request)
        if answer.status != 200:
            raise self.unexpected(answer)
        fields = parse_object(answer.body, self._endpoints.quoted)
        if "error" in fields:  # that of a call that may have a response of several lines
            raise self.unexpected(answer)
        return fields

    def ask(self, method: str, request: dict[str, object]) -> Response:
        """The response, whatever its status. A token that is too old is replaced before."""
        answer = self._post(method, request, self._headers())
        if self._settings.username and self._wants_token(answer):
            self._token = None
            answer = self._post(method, request, self._headers())
        return answer

    def listen(self, method: str, request: dict[str, object], stream: LineStream) -> Response:
        """Read a response without an end. CatalogError if there is none, or if it breaks."""
        headers = {"Content-Type": "application/json", **self._headers()}
        return self._endpoints.stream("POST", f"{self._root}/{method}", stream, headers=headers, body=_body(request))

    def _headers(self) -> dict[str, str]:
        if self._token is None:
            self._token = self._authenticate() if self._settings.username else ""
            self._endpoints.know(self._token)
        return {"Authorization": self._token} if self._token else {}

    def _authenticate(self) -> str:
        """A token; "" if the server has no users."""
        who = {"name": self._settings.username, "password": self._settings.password}
        answer = self._post("auth/authenticate", who, {})
        if answer.status == 200:
            token = parse_object(answer.body, self._endpoints.quoted).get("token")
            if isinstance(token, str) and token.isascii() and token.isprintable():
                return token
            raise CatalogGarbage("etcd gave no token that can be used")
        code, text = error_of(answer)
        if code == PRECONDITION and "not enabled" in text:
            return ""
        raise self.unexpected(answer, "; see etcd.username and etcd.password")

    def _post(self, method: str, request: dict[str, object] | dict[str, str], headers: dict[str, str]) -> Response:
        headers = {"Content-Type": "application/json", **headers}
        return self._endpoints.request("POST", f"{self._root}/{method}", headers=headers, body=_body(request))

    def _wants_token(self, answer: Response) -> bool:
        code, text = error_of(answer)
        return code == UNAUTHENTICATED or any(words in text for words in NEEDS_TOKEN)

    def unexpected(self, answer: Response, hint: str = "") -> CatalogError:
        """The error for a response that reports no success."""
        code, text = error_of(answer)
        if code is None and answer.status == 404:
            return ApiMissing(f"this etcd has no {self._root}: it is another one than before, or see etcd.api")
        words = self._endpoints.quoted((text or str(answer.body[:2000], errors="replace")).encode())
        text = f"Unexpected response code: {answer.status} ({words})"
        if code in RETRYABLE or answer.status == 429 or answer.status >= 500:
            return CatalogUnreachable(text, retry_after=answer.retry_after())
        if code == DENIED or self._wants_token(answer) or (code is None and answer.status in (401, 403)):
            hint = "; see etcd.username and etcd.password"
        return CatalogRefused(text + hint)


def _body(request: object) -> bytes:
    return json.dumps(request, separators=(",", ":")).encode(errors="replace")


def number(text: object) -> int:
    """The JSON object of a response. CatalogGarbage if it is none."""
    try:
        if isinstance(text, str | int) and len(str(text)) <= 20:
            return int(text)
    except ValueError:
        pass
    raise CatalogGarbage("etcd's answer has no number where one belongs")


def error_of(answer: Response) -> tuple[int | None, str]:
    """The gRPC code and the message of an error response; None and "" if it is not an error of etcd."""
    if answer.status == 200 and b'"error"' not in answer.body[:200]:
        return None, ""
    try:
        fields = json.loads(answer.body)
        inner = fields["error"] if isinstance(fields.get("error"), dict) else fields
        code = inner.get("code", inner.get("grpc_code"))
        text = inner.get("message") or inner.get("error") or ""
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None, ""
    return code if isinstance(code, int) else None, text if isinstance(text, str) else ""
