"""What XCom gets of a run: its name at once, its details without the values of environment variables, and
its outputs.

What XCom cannot take never decides how a task ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_flyte.client.literals.values import NOT_STORABLE, TOO_LARGE
from airflow_provider_flyte.client.outside import LONGEST_NAME, REPLACED, one_line, storable
from airflow_provider_flyte.report.redaction import without_env_values, without_webhook_secrets

if TYPE_CHECKING:
    from airflow_provider_flyte.client.run_details import RunDetails
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.task_log import TaskLog

DETAILS = "return_value"
"""The XCom key of the run's details: what the task returns."""

OUTPUTS = "outputs"
"""The XCom key of all outputs."""

RUN_NAME, RUN_URL = "run_name", "run_url"
"""The XCom keys that exist as soon as the run is known."""

MOST = 100_000
"""Bytes of JSON that outputs may have in XCom, which Airflow keeps in its database; what is larger stays in Flyte."""

MOST_OF_ALL, LEAST_OF_EACH = 1_000_000, 4_000
"""Bytes that the details of several runs may have together, which share them; and those that a run has in any case."""

MOST_KEYS = 100
"""Outputs that have a key of their own, which is a row of Airflow's database each."""

_ALL = "The dict of all outputs"

_LONGEST_REASON = 300
"""Characters of an XCom backend's error."""

_TAKEN = {DETAILS, OUTPUTS, RUN_NAME, RUN_URL, "skipmixin_key"}
"""Keys that are taken: an output of such a name has no key of its own. By the last one Airflow skips tasks."""

_KEY = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
"""A name that may be a key. Without an underscore first, with which those of buttons (``_link_``) and ours begin."""


def push_run(task: Any, context: Context, name: str, url: str) -> None:
    """Put the run's name and its page into XCom. A failure is a warning in the task's log.

    :param task: the operator.
    :param context: the task's.
    :param name: the run's name.
    :param url: its page in the Flyte console.
    """
    if not task.do_xcom_push:
        return
    try:
        for key, value in ((RUN_NAME, name), (RUN_URL, url)):
            context["ti"].xcom_push(key=key, value=value)
    except Exception:
        task.log.warning("XCom did not take the name of Flyte run %s.", name, exc_info=True)


class _Wait(Protocol):
    def value(self, *, redact_env: bool) -> dict[str, Any] | None: ...


def push_details(task: Any, context: Context, wait: _Wait | None) -> None:
    """Put what is known of the runs into XCom before the task fails, is skipped or runs out of time.

    An XCom backend that fails here is logged: it must replace neither the reason nor whether the task is retried.

    :param task: the sensor or operator.
    :param context: the task's.
    :param wait: its runs; None where there was no connection to ask by.
    """
    if not task.do_xcom_push or wait is None:
        return
    try:
        if value := wait.value(redact_env=task.redact_env):
            context["ti"].xcom_push(key=DETAILS, value=value)
    except Exception:
        task.log.warning("XCom did not take the details of the Flyte run.", exc_info=True)


def xcom_value(details: RunDetails, *, redact_env: bool, runs: int = 1) -> dict[str, Any]:
    """``details.to_dict()`` for XCom.

    :param redact_env: whether the values of environment variables are replaced by ``***``: of ``runSpec.envs``, and
        everywhere in ``taskTemplate`` (container, pod, custom, config). Their names stay. The same for the addresses
        and headers of webhooks in ``runSpec.notificationRules``.
    :param runs: how many runs there are in the same XCom.
    :return: at most :data:`MOST` bytes of JSON, or this run's share of :data:`MOST_OF_ALL`. In the place of a part that
        is too large stands ``{"type": "too_large", "size": ...}``; what is small stays.
    """
    value = details.to_dict()
    if redact_env:
        for part, name in (
            (value.get("runSpec", {}), "envs"),
            (value.get("action", {}).get("task", {}), "taskTemplate"),
        ):
            if name in part:
                part[name] = without_env_values({name: part[name]})[name]
        notifications = value.get("runSpec", {}).get("notificationRules", {})
        if "rules" in notifications:
            notifications["rules"] = without_webhook_secrets(notifications["rules"])
    stored: dict[str, Any] = _storable(value, lambda reason: {"type": NOT_STORABLE, "reason": reason})
    fitted: dict[str, Any] = without_the_largest(stored, min(MOST, max(LEAST_OF_EACH, MOST_OF_ALL // runs)))
    return fitted


def without_the_largest(value: Any, most: int) -> Any:
    """The value, with the largest parts of its dicts left out where it is too large.

    :param value: what JSON can hold.
    :param most: bytes of JSON that it may have.
    """
    size = _size(value)
    if size <= most:
        return value
    if isinstance(value, dict):
        rest = most - 2 - sum(_size(key) + _SEPARATORS + _PLACE for key in value)
        if rest >= 0:
            kept: dict[str, Any] = {}
            # The smallest first, so that only the largest are left out.
            for key, item in sorted(value.items(), key=lambda each: _size(each[1])):
                kept[key] = without_the_largest(item, rest + _PLACE)
                rest -= max(0, _size(kept[key]) - _PLACE)
            return {key: kept[key] for key in value}
    return {"type": TOO_LARGE, "size": size}


_PLACE, _SEPARATORS = 50, 4
"""Bytes that are kept free for what stands in the place of a part, and those between a key and the next one."""


def _size(value: Any) -> int:
    return len(json.dumps(value, default=str).encode())


def push_outputs(ti: Any, details: RunDetails, outputs: dict[str, Any], log: TaskLog) -> None:
    """Put the outputs into XCom, all under ``outputs`` and each under its name.

    What XCom cannot take is described instead, with a warning: the run has succeeded, whatever Airflow can store.

    :param ti: the task instance.
    :param details: the run.
    :param outputs: plain values by name.
    :param log: the task's log.
    :raises Exception: what XCom raises when it takes not even a description under ``outputs``; a retry finds the run.
    """
    storing = _Storing(ti, details, log)
    # Without its NUL a name could be another output's, and take its key.
    stored = {storable(name.replace("\0", REPLACED)): storing.fit(name, value) for name, value in outputs.items()}
    allowed = _keys(details)
    keys = [name for name in stored if name in allowed][:MOST_KEYS]
    for name in keys:
        stored[name] = storing.push(name, stored[name])
    if without := [name for name in stored if name not in keys]:
        log.warning(
            "Outputs of Flyte run %s have no XCom key of their own, they are under %r alone: %s. A key needs a name "
            "that the Flyte task declares, of at most %d letters, digits, '_', '-' and '.', that is not taken, and "
            "there are at most %d.",
            details.name,
            OUTPUTS,
            one_line(", ".join(map(repr, without)), _LONGEST_REASON),
            LONGEST_NAME,
            MOST_KEYS,
        )
    storing.push_all(storing.whole(stored))


def _keys(details: RunDetails) -> set[str]:
    """The names of outputs that become XCom keys: Airflow puts a key into paths of its API and of files."""
    declared = {variable.key for variable in details.pb2.action.task.task_template.interface.outputs.variables}
    return {name for name in declared - _TAKEN if len(name) <= LONGEST_NAME and _KEY.fullmatch(name)}


class _Storing:
    """Puts values into XCom, or descriptions of them."""

    def __init__(self, ti: Any, details: RunDetails, log: TaskLog) -> None:
        self._ti = ti
        self._run = details.name
        self._uri = one_line(_outputs_uri(details))
        self._log = log

    def fit(self, name: str, value: Any) -> Any:
        """The form in which XCom gets an output."""
        try:
            return self.bounded(f"Output {_shown(name)}", _storable(value, _refuse))
        except (_Unstorable, RecursionError) as error:
            reason = one_line(str(error), _LONGEST_REASON)
            self._warn(f"Output {_shown(name)}", reason)
            return self._description(reason)

    def whole(self, outputs: dict[str, Any]) -> Any:
        """The form in which XCom gets all outputs: their names are the keys of a dict, too."""
        if reserved := _reserved_keys(outputs):
            reason = _kept_by_airflow(reserved)
            self._warn(_ALL, reason)
            return self._description(reason)
        return self.bounded(_ALL, outputs)

    def bounded(self, what: str, value: Any) -> Any:
        """The value, if it is not too large.

        :param what: its name in the log.
        """
        size = _size(value)
        if size <= MOST:
            return value
        self._warn(what, f"it has {size} bytes of JSON, at most {MOST} are allowed")
        return {"type": TOO_LARGE, "uri": self._uri, "size": size}

    def push(self, name: str, value: Any) -> Any:
        """Push one output under its name, and return its form among all of them."""
        try:
            self._ti.xcom_push(key=name, value=value)
        except Exception as error:
            reason = _reason(error)
            try:
                self._ti.xcom_push(key=name, value=self._description(reason))
            except Exception:
                # It is the name that does not fit, or nothing does.
                self._log.warning(
                    "Output %r of Flyte run %s has no XCom key of its own, it is under %r alone: %s",
                    name,
                    self._run,
                    OUTPUTS,
                    reason,
                )
                return value
            self._warn(f"Output {name!r}", reason)
            return self._description(reason)
        return value

    def push_all(self, outputs: Any) -> None:
        """Push all outputs under one key."""
        try:
            self._ti.xcom_push(key=OUTPUTS, value=outputs)
        except Exception as error:
            reason = _reason(error)
            self._ti.xcom_push(key=OUTPUTS, value=self._description(reason))
            self._warn(_ALL, reason)

    def _description(self, reason: str) -> dict[str, str]:
        return {"type": NOT_STORABLE, "uri": self._uri, "reason": reason}

    def _warn(self, what: str, reason: str) -> None:
        self._log.warning(
            "%s of Flyte run %s cannot be stored in XCom: %s. XCom has its address instead: %s",
            what,
            self._run,
            reason,
            self._uri or "Flyte does not say where",
        )


def _reason(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", _LONGEST_REASON)


def _shown(name: str) -> str:
    return repr(one_line(name, LONGEST_NAME))


def _outputs_uri(details: RunDetails) -> str:
    """Where Flyte keeps the outputs."""
    for attempt in reversed(details.pb2.action.attempts):
        if attempt.outputs.output_uri:
            return str(attempt.outputs.output_uri)
    return ""


class _Unstorable(Exception):
    """XCom would refuse the value, or give back another one."""


def _refuse(reason: str) -> Any:
    raise _Unstorable(reason)


def _storable(value: Any, otherwise: Callable[[str], Any]) -> Any:
    """The value as XCom gives it back: no keys but texts, no NUL, and spelled out where JSON has no such value.

    :param otherwise: returns the substitute for a dict that XCom would refuse or turn into something else.
    """
    from airflow_provider_flyte.client.literals.spelling import spell, unspell

    if isinstance(value, dict):
        if reserved := _reserved_keys(value):
            return otherwise(_kept_by_airflow(reserved))
        if unspell(value) is not value:
            return otherwise(f"it has a dict that stands for a {value['type']} in XCom")
        stored = {storable(str(key)): _storable(item, otherwise) for key, item in value.items()}
        return stored if len(stored) == len(value) else otherwise("two keys of a dict in it are the same as texts")
    if isinstance(value, (list, tuple)):
        return [_storable(item, otherwise) for item in value]
    return storable(value) if isinstance(value, str) else spell(value)


def _reserved_keys(value: Mapping[Any, Any]) -> list[str]:
    """Those by which Airflow distinguishes a dict from an object that it has serialized.

    It refuses the first two (2.11 only at the top; further down it makes the object that they name), and takes the last
    two together for what older versions wrote.
    """
    found = [key for key in ("__classname__", "__id__") if key in value]
    return found or (["__type", "__var"] if "__type" in value and "__var" in value else [])


def _kept_by_airflow(keys: list[str]) -> str:
    return f"it has the dict key {' and '.join(keys)}, which Airflow keeps for itself"
