"""What reaches all actions of a launched run: the author's context, and the trace, by OpenTelemetry's own SDK."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteRunFailed
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from tests.support.driving import DagRun, Driven, TaskInstance, lines_of
from tests.support.own_airflow import load_dag_file

pytestmark = pytest.mark.one_transport("connect")


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No provider of the process, and no span, whatever ran before."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    token = context.attach(context.Context())
    yield
    context.detach(token)


@pytest.fixture
def flyte(flyte_default: LocalFlyte) -> LocalFlyte:
    flyte_default.deploy("demo.train")
    flyte_default.on_launch(lambda run: run.succeeds())
    return flyte_default


def launch(number: int = 1, dag_run: DagRun | None = None, **arguments: Any) -> list[str]:
    defaults: dict[str, Any] = {"task_id": "train", "task_name": "demo.train", "poll_interval": 0.1, "resume_after": 0}
    task = FlyteRunOperator(**defaults | arguments)
    lines = lines_of(task)
    Driven(task, TaskInstance(number, 3), dag_run or DagRun()).run()
    return lines


def contexts(flyte: LocalFlyte) -> list[dict[str, str]]:
    return [dict(run.context) for run in flyte.runs()]


def traceparent(span: trace.Span) -> str:
    known = span.get_span_context()
    return f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}"


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
def test_the_authors_context_alone(flyte: LocalFlyte, deferrable: bool) -> None:
    launch(run_context={"day": "2026-11-27"}, deferrable=deferrable)
    launch(2, deferrable=deferrable)
    assert contexts(flyte) == [{"day": "2026-11-27"}, {}]


def test_a_retry_keeps_it(flyte: LocalFlyte) -> None:
    flyte.on_launch(lambda run: run.fails())
    dag_run = DagRun()
    for number, retry_as in enumerate(("new", "rerun", "recover"), start=1):
        with pytest.raises(FlyteRunFailed):
            launch(number, dag_run, retry_as=retry_as, run_context={"day": "x"})
    assert contexts(flyte) == [{"day": "x"}] * 3


@pytest.mark.parametrize("wrong", ["day=x", {"rows": 1}, {"_u_x": "y"}], ids=str)
def test_what_is_no_context_launches_nothing(flyte: LocalFlyte, wrong: Any) -> None:
    with pytest.raises(FlyteArgumentError, match="run_context"):
        launch(run_context=wrong)
    assert not flyte.calls("CreateRun")


# -- the trace


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])
def test_the_current_span_is_the_parent(flyte: LocalFlyte, deferrable: bool) -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("task") as span:
        context.attach(baggage.set_baggage("customer", "acme"))
        launch(run_context={"day": "x"}, deferrable=deferrable)
    assert contexts(flyte) == [{"traceparent": traceparent(span), "day": "x"}]


def test_a_launch_that_waited_for_flyte_has_it_too(flyte: LocalFlyte) -> None:
    flyte.inject("ListRuns", unavailable(times=1))
    flyte.inject("GetRunDetails", unavailable(times=1))
    with TracerProvider().get_tracer("test").start_as_current_span("task") as span:
        launch(deferrable=True)
    assert contexts(flyte) == [{"traceparent": traceparent(span)}]


def test_the_authors_own_trace_stays(flyte: LocalFlyte) -> None:
    state = TraceState([("vendor", "1")])
    parent = NonRecordingSpan(SpanContext(1, 2, True, TraceFlags(TraceFlags.SAMPLED), state))
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("task", context=trace.set_span_in_context(parent)) as span:
        launch()
        launch(2, run_context={"traceparent": "mine"})
    assert contexts(flyte) == [
        {"traceparent": traceparent(span), "tracestate": "vendor=1"},
        {"traceparent": "mine"},
    ]


def test_that_a_trace_is_not_sampled_is_passed_on(flyte: LocalFlyte) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF)
    trace._TRACER_PROVIDER = provider
    with provider.get_tracer("test").start_as_current_span("task") as span:
        launch()
    assert contexts(flyte) == [{"traceparent": traceparent(span)}]
    assert not span.get_span_context().trace_flags.sampled


def test_a_span_that_nobody_traces_is_left_out(flyte: LocalFlyte) -> None:
    """Airflow 3.3 gives each task such a one where tracing is off."""
    with trace.use_span(NonRecordingSpan(SpanContext(1, 2, is_remote=True))):
        launch()
    assert contexts(flyte) == [{}]


def test_without_a_span(flyte: LocalFlyte) -> None:
    trace._TRACER_PROVIDER = TracerProvider()
    launch()
    assert contexts(flyte) == [{}]


def test_without_opentelemetry(flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    lines = launch()
    assert contexts(flyte) == [{}]
    assert not [line for line in lines if "OpenTelemetry" in line]


class Broken(ModuleType):
    """A module that fails while it is imported, as one does that does not fit the installed protobuf."""

    def __getattr__(self, name: str) -> Any:
        raise TypeError("Descriptors cannot be created directly.")


@pytest.mark.parametrize("while_imported", [False, True])
def test_a_broken_opentelemetry_launches_all_the_same(
    flyte: LocalFlyte, monkeypatch: pytest.MonkeyPatch, while_imported: bool
) -> None:
    if while_imported:
        monkeypatch.setitem(sys.modules, "opentelemetry.trace.propagation.tracecontext", Broken("tracecontext"))
    else:
        monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "nobody's")
    lines = launch()
    assert contexts(flyte) == [{}]
    [line] = [line for line in lines if "traceparent" in line]
    assert line.startswith("WARNING: The Flyte run gets no traceparent, because OpenTelemetry's could not be made. ")


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("airflow_db")
def test_templates_mapping_and_other_tasks(flyte: LocalFlyte) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace._TRACER_PROVIDER = provider
    with provider.get_tracer("test").start_as_current_span("outer"):
        dag_run = load_dag_file("traced").dag.test()
    assert {str(ti.state) for ti in dag_run.get_task_instances()} == {"success"}
    parents = {f"{span.context.trace_id:032x}-{span.context.span_id:016x}" for span in spans.get_finished_spans()}
    found: dict[str, list[dict[str, str]]] = {}
    for run in flyte.runs():
        made = dict(run.context)
        if made["traceparent"] != "traced":
            assert made.pop("traceparent")[3:-3] in parents
        found.setdefault(run.run_spec.annotations.values["airflow.apache.org/task_id"], []).append(made)
    assert {task: sorted(each, key=str) for task, each in found.items()} == {
        "plain": [{}],
        "templated": [{"dag": "traced", "year": "2026"}],
        "own": [{"traceparent": "traced"}],
        "mapped": [{"part": "a"}, {"part": "b"}],
        "inside": [{"part": "c"}],
    }
