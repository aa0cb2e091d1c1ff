"""What of a run goes into XCom: its ``to_dict()`` without the values of environment variables, and its outputs."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_flyte.client.run_details import RunDetails
    from airflow_provider_flyte.run_wait import TaskLog

REDACTED = "***"

OUTPUTS = "outputs"
"""The XCom key of all outputs."""

MOST = 100_000
"""Bytes of JSON that outputs may have in XCom, which Airflow keeps in its database; what is larger stays in Flyte."""


def xcom_value(details: RunDetails, *, redact_env: bool) -> dict[str, Any]:
    """``details.to_dict()`` for XCom.

    :param redact_env: whether the values of ``runSpec.envs`` and of the ``env`` of the task's container and pod are
        replaced by ``***``. Their names stay.
    """
    value = details.to_dict()
    if redact_env:
        _redact_values(value.get("runSpec", {}).get("envs", {}).get("values", ()))
        template = value.get("action", {}).get("task", {}).get("taskTemplate", {})
        _redact_values(template.get("container", {}).get("env", ()))
        pod = template.get("k8sPod", {}).get("podSpec", {})
        for group in ("containers", "initContainers", "ephemeralContainers"):
            for container in pod.get(group) or ():
                _redact_values(container.get("env") or ())
    cleaned: dict[str, Any] = _without_nul(value)
    return cleaned


def push_outputs(ti: Any, details: RunDetails, outputs: dict[str, Any], log: TaskLog) -> None:
    """Put the outputs into XCom, all under ``outputs`` and each under its name, as far as they are not too large.

    :param ti: the task instance.
    :param details: the run.
    :param outputs: plain values by name.
    :param log: the task's log.
    """
    plain = {name: _jsonable(value) for name, value in outputs.items()}
    for key, value in ({OUTPUTS: plain} | {name: plain[name] for name in plain if name not in _TAKEN}).items():
        size = len(json.dumps(value, default=str).encode())
        if size > MOST:
            uri = _outputs_uri(details)
            log.warning(
                "Output %r of Flyte run %s is too large for XCom: %d bytes of JSON, at most %d. XCom has its "
                "address instead: %s",
                key,
                details.name,
                size,
                MOST,
                uri or "Flyte does not say where",
            )
            value = {"type": "too_large", "uri": uri, "size": size}
        ti.xcom_push(key=key, value=value)


_TAKEN = {OUTPUTS, "return_value"}


def _outputs_uri(details: RunDetails) -> str:
    """Where Flyte keeps the outputs."""
    for attempt in reversed(details.pb2.action.attempts):
        if attempt.outputs.output_uri:
            return str(attempt.outputs.output_uri)
    return ""


def _jsonable(value: Any) -> Any:
    """What XCom takes: no bytes, no keys but texts, no NaN and no NUL."""
    if isinstance(value, dict):
        return {str(key).replace("\0", ""): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        # As protobuf's JSON has them.
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value.replace("\0", "") if isinstance(value, str) else value


def _redact_values(variables: Any) -> None:
    for variable in variables:
        if "value" in variable:
            variable["value"] = REDACTED


def _without_nul(value: Any) -> Any:
    """PostgreSQL's JSONB refuses NUL in a text."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value
