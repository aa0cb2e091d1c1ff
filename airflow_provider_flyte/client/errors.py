"""Every exception that the client raises.

    FlyteError
    +-- ConfigError                 a setting or an argument is wrong; nothing was changed
    |   +-- NoClientError           neither client= nor an enclosing ``with FlyteClient(...)`` block
    |   +-- NotATextError           something else where a text is meant
    |   +-- InputsError             the inputs do not fit the task's interface
    |   +-- ConditionError          a condition cannot be answered, or not so
    |   |   +-- RunIsOverError          its run is over
    |   +-- NoSuchTaskError         no such task is deployed, or not in this version
    |   +-- NoSuchTriggerError      the task has no such trigger
    +-- RpcError                    a call failed: .status, .method, .run, .endpoint, .details
        +-- NotFoundError               NOT_FOUND; of GetRunDetails it does not prove that the run is missing
        +-- UnauthenticatedError        UNAUTHENTICATED
        |   +-- TokenError                  no token can be had with these credentials: lasting
        |       +-- TokenServerError            the token server gives no usable answer now: transient
        +-- PermissionDeniedError       PERMISSION_DENIED
        +-- InvalidArgumentError        INVALID_ARGUMENT, OUT_OF_RANGE, FAILED_PRECONDITION
        +-- AlreadyExistsError          ALREADY_EXISTS
        |   +-- RunHiddenError              of a run that no read shows; nothing was launched
        +-- UnimplementedError          UNIMPLEMENTED
        +-- UnavailableError            UNAVAILABLE, ABORTED, RESOURCE_EXHAUSTED
        |   +-- ProxyError                  a proxy's own 429, 502, 503 or 504
        |   +-- WrongEndpointError              found by a probe of the address: lasting
        |       +-- SpeaksTlsError              it speaks TLS and we do not
        |       +-- SpeaksPlaintextError        the reverse
        |       +-- CertificateError            its certificate is refused
        |       |   +-- UnknownAuthorityError       signed by an unknown authority
        |       |   +-- WrongHostNameError          it is for another name
        |       |   +-- ClientCertificateError      ours is missing or refused
        |       +-- NoGrpcError                 only HTTP passes, and the settings ask for gRPC
        |       +-- NoConnectError              the reverse
        |       +-- NotFlyteError               something else answers
        |           +-- LoginPageError              a page for people, or a redirect to one
        +-- DeadlineExceededError       DEADLINE_EXCEEDED
        +-- InternalError               INTERNAL, DATA_LOSS
        +-- BadAnswerError              the answer cannot be read as a message of this method: lasting
        |   +-- GarbledAnswerError          the same where Flyte has answered before: transient
        +-- UnknownError                UNKNOWN and any status that we do not know
        +-- LaunchUncertainError        any status: whether the run was launched is not known
        +-- CancelledError              CANCELLED by the server
            +-- ClosedError                 the client was closed while it was used

No error of grpc or httpx leaves the transports, not as ``__cause__`` either: a traceback would show the server's text
in it as it came.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar, TypeVar

from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line


class Status(Enum):
    """gRPC's status codes, so that code above the transports can name one without grpc."""

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
    """A setting or an argument that cannot work; raised before anything is changed.

    :param text: what is wrong and what to give. Names that Flyte gives may be part of it.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(one_line(text))


class NoClientError(ConfigError):
    """A call without a client to make it."""


class NotATextError(ConfigError):
    """A value of another type where a text is required, such as a number for a label."""


class ConditionError(ConfigError):
    """A condition cannot be answered: the run has none of that name, it does not wait, or asks for another type."""


class RunIsOverError(ConditionError):
    """A condition cannot be answered, because its run is over: nothing would go on with the answer."""


class InputsError(ConfigError):
    """Inputs that the task cannot take; all that is wrong with them, by name.

    :param text: the sentences, one for each input that does not fit.
    :param mixes_texts: whether there is a text for something else among them, or something else for a text.
    """

    def __init__(self, text: str, *, mixes_texts: bool = False) -> None:
        super().__init__(text)
        self.mixes_texts = mixes_texts


class NoSuchTaskError(ConfigError):
    """No such task is deployed in this project and domain, or not in this version; the message lists those that are."""


class NoSuchTriggerError(ConfigError):
    """The task has no such Flyte trigger; the message lists those that it has."""


class RpcError(FlyteError):
    """A call that did not succeed.

    :param status: gRPC status, as our own enum.
    :param details: the server's own text, or the channel's.
    :param method: ``Service/Method``.
    :param endpoint: where the call went, ``host:port``.
    :param run: the run it was about, or None.
    """

    advice: ClassVar[str] = "Look at the Flyte server's log."
    transient: bool = False
    """Whether the same call may succeed a moment later."""
    answered: bool = False
    """Whether it is certain that Flyte itself gave this answer, and no proxy."""
    http_status: int | None = None
    """HTTP's status, where the answer was HTTP's and not Flyte's."""

    def __init__(self, status: Status, details: str, *, method: str, endpoint: str, run: str | None = None) -> None:
        self.status = status
        self.details = details
        self.method = method
        self.endpoint = one_line(endpoint)
        self.run = None if run is None else one_line(run, LONGEST_NAME)
        super().__init__(status, self.details, method, self.endpoint, self.run)

    @property
    def details(self) -> str:
        """The server's own text, or the channel's: one line, however it came."""
        return self._details

    @details.setter
    def details(self, text: str) -> None:
        self._details = one_line(text)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are copied and pickled by their arguments, and these have names.
        return _error_again, (type(self), self.status, self.details, self.method, self.endpoint, self.run), vars(self)

    def __str__(self) -> str:
        about = f" for run {self.run}" if self.run else ""
        details = f": {self.details}" if self.details else ""
        advice = self._advice().format(endpoint=self.endpoint, method=self.method, run=self.run)
        return f"{self.method}{about} at {self.endpoint} failed with {self.status.name}{details}. {advice}"

    def _advice(self) -> str:
        return self.advice

    def turned_into(self, cls: type[Error]) -> Error:
        """The same failure as an error of another kind."""
        other = cls(self.status, self.details, method=self.method, endpoint=self.endpoint, run=self.run)
        other.http_status = self.http_status
        return other

    def copy(self: Error, **changed: Any) -> Error:
        """The same failure for another caller: an error that is raised twice collects both tracebacks.

        :param changed: attributes that are others, such as the ``method`` and the ``run``.
        """
        other = self.turned_into(type(self))
        vars(other).update(vars(self))
        for name, value in changed.items():
            setattr(other, name, value)
        return other


Error = TypeVar("Error", bound=RpcError)


def _error_again(cls: type[Error], status: Status, details: str, method: str, endpoint: str, run: str | None) -> Error:
    return cls(status, details, method=method, endpoint=endpoint, run=run)


class NotFoundError(RpcError):
    """The server has no such thing, or (GetRunDetails) could not read its database."""

    advice = "Check the name, the project and the domain."


class UnauthenticatedError(RpcError):
    """The server requires credentials, or refuses these."""

    advice = "Check the credentials in the Flyte connection."


class TokenError(UnauthenticatedError):
    """No token can be had: the token server refuses, or its address is not known."""

    advice = "Check client id, client secret, scopes, audience and OAuth2 endpoint in the Flyte connection."


class TokenServerError(TokenError):
    """The token server gives no usable answer at the moment."""

    advice = "Nothing usable answered at {endpoint}: check that the token server runs and that this machine reaches it."
    transient = True


class PermissionDeniedError(RpcError):
    """The credentials are valid, but do not allow this."""

    advice = "Ask for access to this project and domain, or use a connection that has it."


class InvalidArgumentError(RpcError):
    """The server refuses the request as it is."""

    advice = "Check the arguments; repeating the call cannot help."


class AlreadyExistsError(RpcError):
    """The name is taken."""

    advice = "Choose another name, or read what exists."


class RunHiddenError(AlreadyExistsError):
    """CreateRun answers that there is a run of this name, and no read shows it; nothing was launched."""

    advice = (
        "Flyte has a run of the name {run}, and does not show it: it may have been deleted, or these credentials may "
        "not read it. Nothing was launched; launch under another name."
    )


class UnimplementedError(RpcError):
    """The server, or a proxy in front of it, does not have this method."""

    advice = "Check that {endpoint} is a Flyte 2 API; a proxy may also let only some paths through."


class UnavailableError(RpcError):
    """Nothing usable answers at the moment."""

    advice = (
        "Nothing usable answered at {endpoint}: check the connection's host and port, that Flyte is running, and "
        "that this machine can reach it."
    )
    transient = True


class ProxyError(UnavailableError):
    """A proxy answered by itself that it gets no answer of Flyte's now: 429, 502, 503 or 504."""

    advice = (
        "A proxy answered at {endpoint}, not Flyte: look at the proxy's log for this call, whether it passes "
        "/flyteidl2.* on to the right host and port, and whether Flyte runs there."
    )

    def _advice(self) -> str:
        return _RATE_LIMIT if self.http_status == 429 else self.advice


_RATE_LIMIT = (
    "A proxy answered at {endpoint}, not Flyte: it is a rate limit. Raise it for /flyteidl2.*, or let Airflow ask less "
    "often (poll_interval in the section flyte of Airflow's configuration)."
)
PROXY_STATUSES = (429, 502, 503, 504)
"""Statuses that a proxy answers while its backend is away."""


class WrongEndpointError(UnavailableError):
    """Flyte cannot be reached in this way: found by a probe of the address, not guessed from grpc's text.

    Lasting, unless Flyte was reached in this way before: then it is an outage (``transient`` is set).
    """

    transient = False


class SpeaksTlsError(WrongEndpointError):
    """We sent plaintext to a port that speaks TLS."""

    advice = "The port {endpoint} speaks TLS: switch Insecure off in the Flyte connection."


class SpeaksPlaintextError(WrongEndpointError):
    """We wanted TLS from a port that speaks plaintext."""

    advice = (
        "The port {endpoint} does not speak TLS: switch Insecure on in the Flyte connection, or give the port that "
        "speaks TLS."
    )


class CertificateError(WrongEndpointError):
    """The server's certificate is refused."""

    advice = "The certificate of {endpoint} is not valid: have it renewed, and check this machine's clock."


class UnknownAuthorityError(CertificateError):
    """The server's certificate was signed by an authority that this machine does not know."""

    advice = (
        "The certificate of {endpoint} comes from an authority that this machine does not know: enter that authority's "
        "certificate as CA bundle in the Flyte connection, or name a file with it in SSL_CERT_FILE. The server "
        "must also send the certificates between its own and that one."
    )


class WrongHostNameError(CertificateError):
    """The server's certificate is valid, but for another name."""

    advice = (
        "The certificate of {endpoint} is for another host name: enter that name as host in the Flyte connection, or "
        "as server name where the host must stay."
    )


class ClientCertificateError(CertificateError):
    """The server requires a client certificate, or refuses this one."""

    advice = (
        "{endpoint} accepts only clients with a certificate that it trusts: enter client certificate and private key "
        "in the Flyte connection, or ones that it trusts."
    )


class NoGrpcError(WrongEndpointError):
    """gRPC does not pass, HTTP does, and the settings ask for gRPC."""

    advice = (
        "gRPC does not pass at {endpoint}, but Flyte answers over HTTP there: set Transport to auto or connect in the "
        "Flyte connection."
    )


class NoConnectError(WrongEndpointError):
    """HTTP does not pass, gRPC does, and the settings ask for Connect."""

    advice = (
        "{endpoint} does not answer over HTTP, but Flyte answers through gRPC there: set Transport to auto or grpc in "
        "the Flyte connection."
    )


class NotFlyteError(WrongEndpointError):
    """Something other than a Flyte 2 API answers."""

    advice = (
        "Something other than a Flyte 2 API answers at {endpoint}: check the connection's host and port, and that the "
        "proxy there passes POST requests to /flyteidl2.* on to Flyte."
    )


class LoginPageError(NotFlyteError):
    """A page for people answered, or a redirect to one."""

    advice = (
        "A login page answered instead of Flyte: let requests to /flyteidl2.* pass {endpoint} without a browser's "
        "login, or use an address of Flyte's API that has none."
    )


class DeadlineExceededError(RpcError):
    """No answer in time."""

    advice = "The server at {endpoint} did not answer in time; look at its load and at the network between."
    transient = True


class InternalError(RpcError):
    """The server broke while it answered (a database that is down shows like this)."""

    transient = True


class BadAnswerError(RpcError):
    """The answer cannot be read as the message it should be, and Flyte was not reached in this way before."""

    advice = "Something other than a Flyte 2 API answers at {endpoint}: check the connection's host and port."


class GarbledAnswerError(BadAnswerError):
    """The answer cannot be read, though Flyte has answered this process in this way: an accident, or a proxy's."""

    advice = (
        "Flyte has answered at {endpoint} before: reads are repeated. If that lasts, look at what a proxy in front of "
        "Flyte does to its answers (compression, say)."
    )
    transient = True


class UnknownError(RpcError):
    """The server, or a proxy between, gave no usable reason."""

    advice = "Look at the Flyte server's log, and at a proxy in front of it if there is one."
    transient = True


class CancelledError(RpcError):
    """The call was cancelled on the way."""

    advice = "The server or a proxy in front of it is shutting down; try again."
    transient = True


class ClosedError(CancelledError):
    """The client was closed. Not transient: repeating the call would open a channel that is never closed."""

    advice = "Close the client only after its last call has ended."
    transient = False


class LaunchUncertainError(RpcError):
    """CreateRun failed in a way that leaves open whether the run was launched, and Flyte could not be asked."""

    advice = (
        "Whether run {run} was launched is not known: look for it by this name before you launch again, or launch "
        "again under the same name, which checks first."
    )


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
    """Whether a *read* that failed with this may succeed when it is repeated. Never use it for a write."""
    return isinstance(error, RpcError) and error.transient


def is_lasting(error: BaseException) -> bool:
    """Whether another attempt cannot help until the settings or the server are corrected.

    NOT_FOUND is neither transient nor lasting: a run may come into being.
    """
    return isinstance(error, ConfigError) or (
        isinstance(error, RpcError) and not error.transient and not isinstance(error, NotFoundError)
    )
