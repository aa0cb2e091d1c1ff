"""What of a run goes into XCom: its ``to_dict()``, with the values of environment variables taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_flyte.client.run_details import RunDetails

REDACTED = "***"


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
