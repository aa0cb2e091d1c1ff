"""Everything the client raises.

    FlyteError
    +-- ConfigError                 a setting or an argument is wrong; nothing was sent
    |   +-- NoClientError           neither client= nor an enclosing ``with FlyteClient(...)`` block
    +-- RpcError                    a call failed: .status, .method, .run, .endpoint, .details
        +-- NotFoundError               NOT_FOUND; of GetRunDetails it does not prove that the run is missing
        +-- UnauthenticatedError        UNAUTHENTICATED
        +-- PermissionDeniedError       PERMISSION_DENIED
        +-- InvalidArgumentError        INVALID_ARGUMENT, OUT_OF_RANGE, FAILED_PRECONDITION
        +-- AlreadyExistsError          ALREADY_EXISTS
        +-- UnimplementedError          UNIMPLEMENTED
        +-- UnavailableError            UNAVAILABLE, ABORTED, RESOURCE_EXHAUSTED
        |   +-- WrongSecurityError          seen by looking at the port: lasting
        |       +-- SpeaksTlsError              it speaks TLS and we do not
        |       +-- SpeaksPlaintextError        the reverse
        +-- DeadlineExceededError       DEADLINE_EXCEEDED
        +-- InternalError               INTERNAL, DATA_LOSS
        |   +-- BadAnswerError          the answer is not a message of this method: lasting
        +-- UnknownError                UNKNOWN and any status that we do not know
        +-- CancelledError              CANCELLED by the server
            +-- ClosedError                 the client was closed while it was used

No error of grpc leaves the transports; the original is the ``__cause__``.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Status(Enum):
    """gRPC's status codes, so that nobody above the transports needs grpc to name one."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class FlyteError(Exception):
    """Base of everything that the client raises."""


class ConfigError(FlyteError, ValueError):
    """A setting or an argument that cannot work; raised before any call."""


class NoClientError(ConfigError):
    """A call without a client to make it."""


class RpcError(FlyteError):
    """A call that did not succeed.

    :param status: gRPC status, as our own enum.
    :param details: the server's own words, or the channel's.
    :param method: ``Service/Method``.
    :param endpoint: where the call went, ``host:port``.
    :param run: the run it was about, or None.
    """

    advice: ClassVar[str] = "Look at the Flyte server's log."
    transient: ClassVar[bool] = False
    """Whether the same call may succeed a moment later."""

    def __init__(self, status: Status, details: str, *, method: str, endpoint: str, run: str | None = None) -> None:
        self.status = status
        self.details = details
        self.method = method
        self.endpoint = endpoint
        self.run = run
        super().__init__(status, details, method, endpoint, run)

    def __str__(self) -> str:
        about = f" for run {self.run}" if self.run else ""
        words = f": {self.details}" if self.details else ""
        advice = self.advice.format(endpoint=self.endpoint, method=self.method, run=self.run)
        return f"{self.method}{about} at {self.endpoint} failed with {self.status.name}{words}. {advice}"


class NotFoundError(RpcError):
    """The server has no such thing, or (GetRunDetails) could not read its database."""

    advice = "Check the name, the project and the domain."


class UnauthenticatedError(RpcError):
    """The server wants credentials, or other ones."""

    advice = "Check the credentials in the Flyte connection."


class PermissionDeniedError(RpcError):
    """The credentials are good, but not for this."""

    advice = "Ask for access to this project and domain, or use a connection that has it."


class InvalidArgumentError(RpcError):
    """The server refuses the request as it is."""

    advice = "Check the arguments; repeating the call cannot help."


class AlreadyExistsError(RpcError):
    """The name is taken."""

    advice = "Choose another name, or read what exists."


class UnimplementedError(RpcError):
    """The server, or a proxy in front of it, does not have this method."""

    advice = "Check that {endpoint} is a Flyte 2 API; a proxy may also let only some paths through."


class UnavailableError(RpcError):
    """Nothing answers, or not now."""

    advice = (
        "Nothing usable answered at {endpoint}: check the connection's host and port, that Flyte is running, and "
        "that this machine can reach it."
    )
    transient = True


class WrongSecurityError(UnavailableError):
    """One side speaks TLS and the other does not (seen by a look at the port, not guessed from grpc's words)."""

    transient = False


class SpeaksTlsError(WrongSecurityError):
    """We sent plaintext to a port that speaks TLS."""

    advice = "The port {endpoint} speaks TLS: switch Insecure off in the Flyte connection."


class SpeaksPlaintextError(WrongSecurityError):
    """We wanted TLS from a port that speaks plaintext."""

    advice = (
        "The port {endpoint} does not speak TLS: switch Insecure on in the Flyte connection, or give the port that "
        "speaks TLS."
    )


class DeadlineExceededError(RpcError):
    """No answer in time."""

    advice = "The server at {endpoint} did not answer in time; look at its load and at the network between."
    transient = True


class InternalError(RpcError):
    """The server broke while it answered (a database that is down shows like this)."""

    transient = True


class BadAnswerError(InternalError):
    """The answer cannot be read as the message it should be."""

    advice = "Something other than a Flyte 2 API answers at {endpoint}: check the connection's host and port."
    transient = False


class UnknownError(RpcError):
    """The server, or a proxy between, gave no usable reason."""

    advice = "Look at the Flyte server's log, and at a proxy in front of it if there is one."
    transient = True


class CancelledError(RpcError):
    """The call was cancelled on the way."""

    advice = "The server or a proxy in front of it is shutting down; try again."
    transient = True


class ClosedError(CancelledError):
    """Somebody closed the client. Not transient: repeating the call would open a channel that nobody closes."""

    advice = "Close the client only after its last call has ended."
    transient = False


_BY_STATUS: dict[Status, type[RpcError]] = {
    Status.NOT_FOUND: NotFoundError,
    Status.UNAUTHENTICATED: UnauthenticatedError,
    Status.PERMISSION_DENIED: PermissionDeniedError,
    Status.INVALID_ARGUMENT: InvalidArgumentError,
    Status.OUT_OF_RANGE: InvalidArgumentError,
    Status.FAILED_PRECONDITION: InvalidArgumentError,
    Status.ALREADY_EXISTS: AlreadyExistsError,
    Status.UNIMPLEMENTED: UnimplementedError,
    Status.UNAVAILABLE: UnavailableError,
    Status.ABORTED: UnavailableError,
    Status.RESOURCE_EXHAUSTED: UnavailableError,
    Status.DEADLINE_EXCEEDED: DeadlineExceededError,
    Status.INTERNAL: InternalError,
    Status.DATA_LOSS: InternalError,
    Status.CANCELLED: CancelledError,
}


def error_for(status: Status, details: str, *, method: str, endpoint: str, run: str | None = None) -> RpcError:
    """The error that stands for this status."""
    cls = _BY_STATUS.get(status, UnknownError)
    return cls(status, details, method=method, endpoint=endpoint, run=run)


def is_transient(error: BaseException) -> bool:
    """Whether a *read* that failed so may succeed when it is repeated. Never ask it of a write."""
    return isinstance(error, RpcError) and error.transient


def is_lasting(error: BaseException) -> bool:
    """Whether asking again cannot help until somebody mends the settings or the server.

    NOT_FOUND is neither transient nor lasting: a run may come into being.
    """
    return isinstance(error, ConfigError) or (
        isinstance(error, RpcError) and not error.transient and not isinstance(error, NotFoundError)
    )
