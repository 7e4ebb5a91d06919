"""The server's write API over HTTP: one method a call, typed errors, no retries.

Whether and when to try again is the business of `upload`; this room only says which of the answers allow it.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union
from urllib.parse import urlsplit

from . import __version__
from .errors import OffsetGap, Refused, ServerAway, problem_name
from .intake import IntakeSocket

if TYPE_CHECKING:
    import urllib3

CHUNKS_TYPE = "application/vnd.buildlogs.chunks"
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 60.0
CONNECTIONS = 2
"""One for the chunks, one for heartbeats."""

Id = Union[int, str]

ID_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")
"""Ids go into paths and into the environment of commands: what cannot stand there as it is, is none."""

MAX_OFFSET_DIGITS = 20


class Created(NamedTuple):
    """A resource's id, and whether this call made it (201) or found it (200)."""

    id: Id
    new: bool


class Answer(NamedTuple):
    """An HTTP answer with a parsed JSON body; `body` is empty where it was not a JSON object."""

    status: int
    headers: Any
    body: dict[str, Any]


class Api:
    """A server and the token for it. Threads may share one.

    Attributes:
        server: its address.
        intake: the WebSocket to it for output, which is faster than `append` where there is one.
    """

    def __init__(self, server: str, token: str | None) -> None:
        """`server` is an http or https address, perhaps with a path before `/api/v1`."""
        self.server = server
        self.intake = IntakeSocket(server, token)
        self._base = urlsplit(server).path.rstrip("/") + "/api/v1"
        self._headers = {"User-Agent": f"buildlogs-agent/{__version__}", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    @cached_property
    def _pool(self) -> urllib3.HTTPConnectionPool:
        """Made for the first request: to load urllib3 takes 50 ms, and a step's command need not wait for it."""
        import urllib3

        return urllib3.connection_from_url(self.server, maxsize=CONNECTIONS, block=False)

    def create_build(self, request: dict[str, Any], timeout: float = READ_TIMEOUT_SECONDS) -> Created:
        """`POST /builds`; with an `external_id` it may be repeated."""
        return self._create("/builds", request, timeout)

    def create_step(self, build: Id, name: str, number: int | None, timeout: float) -> Created:
        """`POST /builds/{id}/steps`; with a number it may be repeated."""
        return self._create(f"/builds/{build}/steps", {"name": name, **({"number": number} if number else {})}, timeout)

    def find_step(self, build: Id, name: str, timeout: float) -> Optional[Id]:
        """The last step of that name in `GET /builds/{id}`, which takes the scope `read`; None where there is none."""
        answer = self._request("GET", f"/builds/{build}", b"", {}, timeout)
        steps = answer.body.get("steps")
        found = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
        ids = [step.get("id") for step in found if step.get("name") == name]
        return next((known for known in reversed(ids) if ID_FORM.fullmatch(str(known))), None)

    def create_log(self, step: Id, name: str, timeout: float, log_type: str = "stdio") -> Created:
        """`POST /steps/{id}/logs`; may be repeated."""
        return self._create(f"/steps/{step}/logs", {"name": name, "type": log_type}, timeout)

    def append(self, log: Id, offset: int, skip: int, body: Union[bytes, memoryview], timeout: float) -> int:
        """`POST /logs/{id}/chunks`; answers the payload bytes the server has now, or raises OffsetGap."""
        headers = {"Content-Type": CHUNKS_TYPE, "Upload-Offset": str(offset)}
        if skip:
            headers["Upload-Skip"] = str(skip)
        try:
            answer = self._request("POST", f"/logs/{log}/chunks", body, headers, timeout)
        except _GapAnswer as gap:
            raise OffsetGap(gap.received) from None
        received = answer.body.get("received")
        if not isinstance(received, int):
            raise Refused(answer.status, "", "the answer to a chunk does not say how much was received")
        return received

    def finish_log(self, log: Id, totals: dict[str, Any], timeout: float) -> None:
        """`POST /logs/{id}/finish` with `received`, perhaps `sha256` and `unverified`; may be repeated."""
        self._post(f"/logs/{log}/finish", totals, timeout)

    def finish_step(self, step: Id, results: str, timeout: float) -> None:
        """`POST /steps/{id}/finish`; may be repeated."""
        self._post(f"/steps/{step}/finish", {"results": results}, timeout)

    def finish_build(self, build: Id, results: str, timeout: float) -> None:
        """`POST /builds/{id}/finish`; may be repeated."""
        self._post(f"/builds/{build}/finish", {"results": results}, timeout)

    def heartbeat(self, build: Id) -> None:
        """`POST /builds/{id}/heartbeat`: the writer lives although it has nothing to say."""
        self._post(f"/builds/{build}/heartbeat", {}, READ_TIMEOUT_SECONDS)

    def _create(self, path: str, request: dict[str, Any], timeout: float) -> Created:
        answer = self._post(path, request, timeout)
        identity = answer.body.get("id")
        if not isinstance(identity, (int, str)) or not ID_FORM.fullmatch(str(identity)):
            raise Refused(answer.status, "", f"the answer to POST {path} has no id: is this a buildlogs server?")
        return Created(identity, answer.status == 201)

    def _post(self, path: str, request: dict[str, Any], timeout: float) -> Answer:
        # Arguments that are not UTF-8 hold lone surrogates, which no server can store
        body = json.dumps(request, ensure_ascii=False).encode(errors="replace")
        return self._request("POST", path, body, {"Content-Type": "application/json"}, timeout)

    def _request(
        self, method: str, path: str, body: Union[bytes, memoryview], headers: dict[str, str], timeout: float
    ) -> Answer:
        """One request; raises ServerAway where it may be sent again, Refused where that would not help."""
        import urllib3

        buffer: Any = body  # urllib3 takes any buffer, its annotations know only bytes
        try:
            response = self._pool.urlopen(
                method,
                self._base + path,
                body=buffer,
                headers={**self._headers, **headers},
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_SECONDS, timeout), read=timeout),
            )
        except urllib3.exceptions.HTTPError as error:
            refused_connection = isinstance(error, urllib3.exceptions.NewConnectionError)
            raise ServerAway(_reason(error), ambiguous=not refused_connection) from None
        answer = Answer(response.status, response.headers, _json_object(response.data))
        if answer.status in (200, 201):
            return answer
        raise _error_for(answer)


class _GapAnswer(Refused):
    """An offset gap; where nothing was appended, a refusal like any other."""

    def __init__(self, received: int) -> None:
        super().__init__(409, "offset-gap", "")
        self.received = received


def _error_for(answer: Answer) -> Exception:
    problem = problem_name(answer.body.get("type"))
    detail = str(answer.body.get("detail") or answer.body.get("title") or "")[:500]
    if answer.status == 409 and problem == "offset-gap":
        offset = str(answer.headers.get("Upload-Offset", ""))
        if offset.isdecimal() and len(offset) <= MAX_OFFSET_DIGITS:
            return _GapAnswer(int(offset))
    if answer.status in (408, 429) or answer.status >= 500 or problem == "locked":
        reason = f"{detail or problem or 'no reason given'} (HTTP {answer.status})"
        return ServerAway(reason, _retry_after(answer.headers.get("Retry-After")), ambiguous=answer.status != 429)
    return Refused(answer.status, problem, detail)


def _retry_after(value: str | None) -> Optional[float]:
    return min(float(value), MAX_RETRY_AFTER_SECONDS) if value and value.isdecimal() else None


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    from urllib3.exceptions import TimeoutError as UrllibTimeout

    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    if isinstance(error, UrllibTimeout):
        return "no answer in time"
    return type(error).__name__
