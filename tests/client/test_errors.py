"""Every way a call can fail, as our own errors with words that help."""

from __future__ import annotations

import asyncio
import re
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_flyte.client import FlyteClient, FlyteConfig, RunDetails, errors
from airflow_provider_flyte.client.errors import FlyteError, RpcError, Status
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2
from airflow_provider_flyte.testing import LocalFlyte, cut_stream, delay, status
from tests.client.conftest import config_for
from tests.support.ports import closed_port
from tests.support.strangers import stranger

EXPECTED = {
    Status.CANCELLED: errors.CancelledError,
    Status.UNKNOWN: errors.UnknownError,
    Status.INVALID_ARGUMENT: errors.InvalidArgumentError,
    Status.DEADLINE_EXCEEDED: errors.DeadlineExceededError,
    Status.NOT_FOUND: errors.NotFoundError,
    Status.ALREADY_EXISTS: errors.AlreadyExistsError,
    Status.PERMISSION_DENIED: errors.PermissionDeniedError,
    Status.RESOURCE_EXHAUSTED: errors.UnavailableError,
    Status.FAILED_PRECONDITION: errors.InvalidArgumentError,
    Status.ABORTED: errors.UnavailableError,
    Status.OUT_OF_RANGE: errors.InvalidArgumentError,
    Status.UNIMPLEMENTED: errors.UnimplementedError,
    Status.INTERNAL: errors.InternalError,
    Status.UNAVAILABLE: errors.UnavailableError,
    Status.DATA_LOSS: errors.InternalError,
    Status.UNAUTHENTICATED: errors.UnauthenticatedError,
}


def ask(config: FlyteConfig, *, on_a_loop: bool) -> Any:
    """GetRunDetails of r1, once."""
    from airflow_provider_flyte.client.flows.calls import get_run_details, run_identifier

    call = get_run_details(run_identifier(config.key("r1"), config.org))

    async def on_loop() -> Any:
        async with FlyteClient(config) as client:
            return await client.aexecute(call, retry_for=0)

    if on_a_loop:
        return asyncio.run(on_loop())
    with FlyteClient(config) as client:
        return client.execute(call, retry_for=0)


both = pytest.mark.parametrize("on_a_loop", [False, True], ids=["blocking", "loop"])


@both
@pytest.mark.parametrize("code", list(Status), ids=lambda code: str(code.name))
def test_each_status_is_one_of_our_errors(local_flyte: LocalFlyte, code: Status, on_a_loop: bool) -> None:
    local_flyte.inject("GetRunDetails", status(code.name, "the server's words"))
    with pytest.raises(RpcError) as raised:
        ask(config_for(local_flyte), on_a_loop=on_a_loop)
    error = raised.value
    assert type(error) is EXPECTED[code]
    assert (error.status, error.details, error.method) == (code, "the server's words", "RunService/GetRunDetails")
    assert (error.run, error.endpoint) == ("r1", local_flyte.endpoint)
    message = str(error)
    assert message.startswith(
        f"RunService/GetRunDetails for run r1 at {local_flyte.endpoint} failed with {code.name}: the server's words. "
    )
    # What to do next, as a sentence of its own.
    assert re.search(r"words\. [A-Z].{20,}\.$", message)
    # grpc's own error would show the server's text as it came, in every traceback.
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@both
def test_who_gives_no_answer_that_can_be_read_is_no_flyte(protocol: str, on_a_loop: bool) -> None:
    with (
        stranger(protocol) as server,
        pytest.raises(errors.BadAnswerError, match="Something other than a Flyte 2 API answers") as raised,
    ):
        ask(config_for(server), on_a_loop=on_a_loop)
    assert errors.is_lasting(raised.value)
    assert "an answer of 4 bytes (00 ff ff ff) cannot be read as Get" in str(raised.value)


@both
def test_every_call_has_a_deadline(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    local_flyte.run("r1")
    local_flyte.inject("*", delay(60))
    with pytest.raises(errors.DeadlineExceededError, match="did not answer in time"):
        ask(config_for(local_flyte, timeout=0.3), on_a_loop=on_a_loop)


@both
def test_nothing_listens(on_a_loop: bool) -> None:
    with closed_port() as port:
        config = FlyteConfig(endpoint=f"localhost:{port}", insecure=True, project="p", domain="d")
        with pytest.raises(errors.UnavailableError, match=f"Nothing usable answered at localhost:{port}"):
            ask(config, on_a_loop=on_a_loop)


@both
def test_no_such_host(on_a_loop: bool) -> None:
    config = FlyteConfig(endpoint="no-such-host.invalid:443", project="p", domain="d")
    with pytest.raises(errors.UnavailableError, match=r"no-such-host\.invalid:443"):
        ask(config, on_a_loop=on_a_loop)


@both
def test_a_stream_that_breaks_raises_our_error(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    from airflow_provider_flyte.client.idl.workflow import run_service_pb2
    from airflow_provider_flyte.client.rpc import RunService

    local_flyte.run("r1").phases("RUNNING")
    local_flyte.inject("WatchRuns", cut_stream(after=1, code="UNAVAILABLE", details="proxy says no"))
    request = run_service_pb2.WatchRunsRequest()
    request.project_id.name, request.project_id.domain = "flytesnacks", "development"

    async def on_loop() -> int:
        async with FlyteClient(config_for(local_flyte)) as client:
            return len([1 async for _ in client.async_transport().server_stream(RunService.WatchRuns, request)])

    def blocking() -> int:
        with FlyteClient(config_for(local_flyte)) as client:
            return len(list(client.transport().server_stream(RunService.WatchRuns, request)))

    with pytest.raises(errors.UnavailableError, match="proxy says no"):
        asyncio.run(on_loop()) if on_a_loop else blocking()


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__
    drawn = re.findall(r"^( +)(?:\+-- )?(\w+Error)\b", errors.__doc__.replace("|", " "), re.M)
    parents: list[tuple[int, str]] = []
    seen = set()
    for indent, name in drawn:
        depth = len(indent)
        while parents and parents[-1][0] >= depth:
            parents.pop()
        cls = getattr(errors, name)
        if parents:
            assert cls.__bases__[0].__name__ == parents[-1][1]
        parents.append((depth, name))
        seen.add(cls)

    def below(cls: type) -> set[type]:
        return {cls}.union(*map(below, cls.__subclasses__()))

    assert below(FlyteError) == seen


def test_what_is_transient_and_what_lasts() -> None:
    def made(code: Status) -> RpcError:
        return errors.error_for(code, "", method="m", endpoint="e")

    transient = {code.name for code in Status if errors.is_transient(made(code))}
    lasting = {code.name for code in Status if errors.is_lasting(made(code))}
    assert transient == {
        "CANCELLED", "UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL", "UNAVAILABLE",
        "DATA_LOSS",
    }  # fmt: skip
    assert {code.name for code in Status} - transient - lasting == {"NOT_FOUND"}


@pytest.mark.parametrize("name", ["No", "", None, "a" * 31, "-a", "a-", "ä", 7])
def test_a_name_that_no_run_has_is_refused_before_any_call(local_flyte: LocalFlyte, name: Any) -> None:
    with FlyteClient(config_for(local_flyte)), pytest.raises(errors.ConfigError, match="run_name"):
        RunDetails.get(name)
    assert local_flyte.calls() == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("UNAVAILABLE", "the cluster: Received http2 header with status: 502"),
        ("NOT_FOUND", "Received http2 header with status: 502"),
    ],
)
@pytest.mark.parametrize("on_a_loop", [False, True])
def test_flyte_may_quote_what_grpc_says_of_http(
    local_flyte: LocalFlyte, code: str, words: str, on_a_loop: bool
) -> None:
    local_flyte.inject("GetRunDetails", status(code, words))
    with pytest.raises(EXPECTED[Status[code]]) as raised:
        ask(config_for(local_flyte), on_a_loop=on_a_loop)
    assert not isinstance(raised.value, errors.ProxyError)


def test_without_a_client_the_error_says_so() -> None:
    with pytest.raises(errors.NoClientError, match=r"call inside `with FlyteClient\(config\):`"):
        RunDetails.get("r1")


@both
def test_a_server_s_text_is_one_line_that_can_be_printed(local_flyte: LocalFlyte, on_a_loop: bool) -> None:
    local_flyte.inject("GetRunDetails", status("INVALID_ARGUMENT", "no\n[INFO] ours\r\x1b[2J\u202eend\0" + "x" * 3000))
    with pytest.raises(errors.InvalidArgumentError) as raised:
        ask(config_for(local_flyte), on_a_loop=on_a_loop)
    assert raised.value.details.startswith("no [INFO] ours \N{REPLACEMENT CHARACTER}end\N{REPLACEMENT CHARACTER}xxx")
    assert len(raised.value.details) == 2000
    shown = "".join(traceback.format_exception(raised.value))
    assert "\n[INFO]" not in shown
    assert "\x1b" not in shown


ANY = st.text(st.characters(exclude_categories=[]))


@given(ANY, ANY, ANY)
def test_errors_of_any_text(details: str, endpoint: str, run: str) -> None:
    error = errors.error_for(Status.UNKNOWN, details, method="S/M", endpoint=endpoint, run=run)
    error.details += details
    for each in (error, error.copy(details=details), errors.ConfigError(details), errors.InputsError(details)):
        assert str(each).isprintable()
        assert repr(each).isprintable()
        assert len(str(each)) < 7000


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_timelines_and_reasons_of_any_text(text: str, reason: str) -> None:
    message = run_definition_pb2.RunDetails()
    attempt = message.action.attempts.add(attempt=1)
    attempt.phase_transitions.add(phase=6)
    attempt.error_info.message = message.action.error_info.message = text
    attempt.cluster_events.add(type=2, reason=reason, message=text)
    details = RunDetails(message)
    for line in [*details.timeline(), repr(details), *(details.error.message if details.error else "").split("\n")]:
        assert line.isprintable()
