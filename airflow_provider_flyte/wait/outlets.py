"""What a task that has succeeded reports of its runs to the assets among its ``outlets``.

An asset's event gets the payload that ``FlyteRunsTrigger`` gives its events. An AssetAlias gets an event for each file,
directory and data frame among the outputs, of the asset at its address. What Airflow cannot take is logged and
never decides how the task ends: the runs have succeeded.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from airflow_provider_flyte.client.flows.runs_by_creation import RunRow, row_of
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import RunPhase, is_successful
from airflow_provider_flyte.compat import Asset, AssetAlias, AssetRef
from airflow_provider_flyte.report.run_payload import run_payload

if TYPE_CHECKING:
    from airflow_provider_flyte.compat import Context
    from airflow_provider_flyte.wait.run_wait import RunWait
    from airflow_provider_flyte.wait.task_wait import TaskWait

MOST_RUNS = 100
"""Of several runs how many have their payload in an event, which is a row of Airflow's database."""

MOST_DATA = 100
"""Of how many outputs an alias gets events, which each make an asset where Airflow has none of that address yet."""

_LONGEST_URI = 1500
"""Characters that Airflow's database takes."""

_LONGEST_REASON = 300

_DATA = ("file", "directory", "structured_dataset")
"""The outputs that others may read at their address, in the words of ``client/literals/reader.py``."""

_WITH_CONTAINERS = ("abfs", "abfss", "wasb", "wasbs")
"""Schemes in which the name of a container stands before the @, and no user's."""

_HOST = re.compile(r"([^:]+|.*\[.*\])(:\d*)?")
_USER_AND_PASSWORD = re.compile(":.*@")

OutputsOf = Callable[["RunWait"], Mapping[str, Any]]


def wants_outputs(task: Any) -> bool:
    """Whether the task has an AssetAlias among its outlets, which is to know what the run has written."""
    return any(isinstance(outlet, AssetAlias) for outlet in task.outlets)


def report_to_outlets(task: Any, context: Context, wait: TaskWait, outputs_of: OutputsOf | None) -> None:
    """Give the events of a task's outlets what is known of its runs; Airflow stores them if the task succeeds.

    :param task: the sensor or operator.
    :param context: the task's.
    :param wait: its runs.
    :param outputs_of: gives a run's outputs, and is called only where an alias wants them; None: the task has not
        waited for its run.
    :raises Exception: what ``outputs_of`` raises.
    """
    events: Any = context.get("outlet_events") if task.outlets else None
    if events is None:
        return
    payloads = [(run, _payload(run, task)) for run in wait.reported]
    for outlet in task.outlets:
        if isinstance(outlet, (Asset, AssetRef)):
            try:
                _add_to(events[outlet].extra, _together(payloads, several=wait.several))
            except Exception:
                task.log.warning("The event of outlet %r has nothing of the Flyte run.", outlet, exc_info=True)
    if not (aliases := [events[outlet] for outlet in task.outlets if isinstance(outlet, AssetAlias)]):
        return
    if outputs_of is None:
        task.log.warning(
            "The AssetAlias among the outlets gets no events, because the task does not wait for its run (wait=False)."
        )
        return
    found = list(islice(_data_of(payloads, outputs_of), MOST_DATA + 1))
    if not found:
        task.log.info("No output is a file, a directory or a data frame, so the AssetAlias gets no events.")
    if len(found) > MOST_DATA:
        task.log.warning("The AssetAlias gets events of the first %d outputs, and none of the others.", MOST_DATA)
    for data in found[:MOST_DATA]:
        try:
            _resolve(aliases, data)
        except Exception as error:
            task.log.warning(
                "Output %s of Flyte run %s becomes no asset. %s",
                data.output,
                data.payload["run_name"],
                one_line(f"{type(error).__name__}: {error}", _LONGEST_REASON),
            )


def _payload(run: RunWait, task: Any) -> dict[str, Any]:
    """Of a run that was launched and is not waited for there may be nothing yet but its name."""
    if run.details is None:
        return run_payload(RunRow(run.key, RunPhase.UNSPECIFIED, str(task.task_name), "", 0, None), run.url)
    return run_payload(replace(row_of(run.details.pb2.action, {}), key=run.key), run.url)


def _together(payloads: Sequence[tuple[RunWait, dict[str, Any]]], *, several: bool) -> dict[str, Any]:
    """What the event of an asset has."""
    if not several:
        return payloads[0][1]
    return {"run_count": len(payloads), "runs": [payload for _, payload in payloads[:MOST_RUNS]]}


def _add_to(extra: dict[str, Any], known: Mapping[str, Any]) -> None:
    """Add what is not there yet: what the DAG's author gives comes first."""
    for name, value in known.items():
        extra.setdefault(name, value)


@dataclass(frozen=True)
class _Data:
    """An output that is data at an address."""

    payload: Mapping[str, Any]
    """Of its run."""

    output: str
    """Its name, with the place in it where it is a list or a dict."""

    kind: str
    uri: str


def _data_of(payloads: Sequence[tuple[RunWait, dict[str, Any]]], outputs_of: OutputsOf) -> Iterator[_Data]:
    for run, payload in payloads:
        if run.details is None or not is_successful(run.details.phase):
            continue
        for name, value in outputs_of(run).items():
            for place, kind, uri in _data_in(name, value):
                yield _Data(payload, one_line(place, LONGEST_NAME), kind, uri)


def _data_in(name: str, value: Any) -> Iterator[tuple[str, str, str]]:
    """Name, kind and address of the data in an output. Without recursion: how deep it is, others decide."""
    left = [(name, value)]
    while left:
        name, value = left.pop()
        if isinstance(value, Mapping):
            kind, uri = value.get("type"), value.get("uri")
            if kind in _DATA and isinstance(uri, str):
                yield name, str(kind), uri
            else:
                left += reversed([(f"{name}[{key!r}]", item) for key, item in value.items()])
        elif isinstance(value, list):
            left += reversed([(f"{name}[{index}]", item) for index, item in enumerate(value)])


def data_uri(uri: str) -> str:
    """The address of data without what may let somebody in: a user, a password, a signature.

    :param uri: from outside.
    :raises ValueError: for what is no address, or is too long to be an asset's. The text has nothing of the address.
    """
    if len(uri) > _LONGEST_URI:
        raise ValueError(f"Its address has more than {_LONGEST_URI} characters.")
    if not uri.isprintable():
        raise ValueError("Its address has characters that cannot be printed.")
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise ValueError("Its address is no URI.") from None
    if not parts.scheme or not (parts.netloc or parts.path):
        raise ValueError("Its address is no URI, such as s3://bucket/key.")
    user, at, host = parts.netloc.rpartition("@")
    if at and (parts.scheme not in _WITH_CONTAINERS or ":" in unquote(user)):
        parts = parts._replace(netloc=host)
    if _may_have_a_password(parts):
        raise ValueError("Its address may have a password in it: with a / that is not written %2F, or behind no //.")
    return urlunsplit(parts._replace(query="", fragment=""))


def _may_have_a_password(parts: SplitResult) -> bool:
    """Whether something like user:password@ is left. A password with a / in it is taken for a port and a path."""
    is_host = _HOST.fullmatch(parts.netloc) is not None
    return not is_host and _USER_AND_PASSWORD.search(parts.netloc + parts.path) is not None


def _resolve(aliases: Sequence[Any], data: _Data) -> None:
    """Give aliases an event of the asset at an address."""
    extra = {**data.payload, "output": data.output, "output_type": data.kind}
    with warnings.catch_warnings():
        # Airflow 2.11 warns of what it takes away, and of what its own providers refuse.
        warnings.simplefilter("ignore")
        asset: Any = Asset(data_uri(data.uri))
    # Its name, too, in Airflow's spelling.
    asset = Asset(asset.uri)
    for alias in aliases:
        try:
            # As DAGs call it that have an asset of this address under a name.
            alias.add(Asset.ref(uri=asset.uri), extra)
        except Exception:
            # There is none, or assets have no names (2.11).
            alias.add(asset, extra)
