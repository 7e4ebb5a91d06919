"""The agent's errors: what can be said about a failure, and whether trying again helps."""

from __future__ import annotations


class AgentError(Exception):
    """Any failure of the agent itself, never of the command it runs."""


class UsageError(AgentError):
    """The agent was called or configured wrongly; exit code 125 as with `env` and `docker run`."""


class CommandNotStarted(AgentError):
    """The command could not be executed.

    Attributes:
        exit_code: 127 when it was not found, 126 when it cannot be executed, as `env` answers.
    """

    def __init__(self, exit_code: int, message: str) -> None:
        """Keep what the shell would say."""
        super().__init__(message)
        self.exit_code = exit_code


class ServerAway(AgentError):
    """The server did not answer, or asked for patience; the same request may be sent again.

    Attributes:
        retry_after: seconds the server asked for, or None.
        ambiguous: whether the request may have been carried out although no answer came.
    """

    def __init__(self, reason: str, retry_after: float | None = None, ambiguous: bool = False) -> None:
        """Keep the reason for the message that people see."""
        super().__init__(reason)
        self.retry_after = retry_after
        self.ambiguous = ambiguous


class Refused(AgentError):
    """The server answered, and sending the same again would get the same answer.

    Attributes:
        status: HTTP status; 0 where the answer itself broke the contract.
        problem: last word of the RFC 9457 `type`, e.g. `finished`; empty where there is none.
    """

    def __init__(self, status: int, problem: str, detail: str) -> None:
        """Compose the message from the problem document."""
        super().__init__(f"{detail or problem or 'refused'} (HTTP {status})" if status else detail)
        self.status = status
        self.problem = problem


class OffsetGap(AgentError):
    """The server has fewer bytes than the request assumed.

    Attributes:
        received: payload bytes the server has; go on from there.
    """

    def __init__(self, received: int) -> None:
        """Keep where to go on."""
        super().__init__(f"the server has {received} bytes")
        self.received = received


class SocketUnavailable(AgentError):
    """There is no WebSocket to the server now; HTTP may do all the same.

    Attributes:
        blocked: whether something on the way has no WebSockets, so that trying again soon is of no use.
    """

    def __init__(self, reason: str, blocked: bool = False) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.blocked = blocked


class GaveUp(AgentError):
    """The server stayed away for longer than the agent may keep the build waiting."""


class SpoolUnavailable(AgentError):
    """No directory for the spool can be written."""


def problem_name(type_of_problem: object) -> str:
    """The last word of an RFC 9457 `type`, which may be a whole address; empty where there is none."""
    return str(type_of_problem or "").rstrip("/").replace("#", "/").replace(":", "/").rsplit("/", 1)[-1]
