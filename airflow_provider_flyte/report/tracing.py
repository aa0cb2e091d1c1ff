"""OpenTelemetry, where it is active in this process; else nothing happens."""

from __future__ import annotations

from airflow_provider_flyte.task_log import TaskLog


def trace_context(log: TaskLog) -> dict[str, str]:
    """The current span as the parent of what is launched, as W3C has it: ``traceparent``, and ``tracestate`` if any.

    Baggage and other formats, which the propagator of the process may have, stay here: a run's context is stored, and
    shown to all of its actions.

    :param log: the task's log, which has a line where this fails: that must not fail the launch.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # Airflow 3.3 gives each task a span also where nothing traces it, and 2.11 traces without a global provider.
        if not trace.get_current_span().is_recording() and isinstance(
            trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider
        ):
            return {}
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
    except ImportError:
        return {}
    except Exception as error:
        log.warning(
            "The Flyte run gets no traceparent, because OpenTelemetry's could not be made. %s: %s",
            type(error).__name__,
            error,
        )
        return {}
    return carrier
