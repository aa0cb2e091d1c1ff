"""The inputs of a run, by the interface of its task: names, types and defaults."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from airflow_provider_flyte.client.errors import InputsError
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.task import common_pb2, task_definition_pb2
from airflow_provider_flyte.client.literals.types import type_name
from airflow_provider_flyte.client.literals.values import Unfit
from airflow_provider_flyte.client.literals.writer import literal_of
from airflow_provider_flyte.client.quoting import quoted


def make_inputs(
    details: task_definition_pb2.TaskDetails,
    values: Mapping[str, Any],
    kept: common_pb2.Inputs | None = None,
    *,
    filled_later: str | None = None,
) -> common_pb2.Inputs:
    """The inputs in the interface's order, with the task's defaults where no value is given, as the SDK sends them.

    :param kept: what stands before the defaults, for inputs without a value; its context is passed on.
    :param filled_later: an input that may be left out, because Flyte fills it in.
    :raises InputsError: for all that is wrong with them at once.
    """
    types = {entry.key: entry.value.type for entry in details.spec.task_template.interface.inputs.variables}
    defaults = {
        each.name: each.parameter.default
        for each in details.spec.default_inputs
        if each.parameter.WhichOneof("behavior") == "default"
    }
    before = {each.name: each.value for each in kept.literals} if kept else {}
    wrong = [_unknown(name, types) for name in values if name not in types]
    mixes_texts = False
    made = common_pb2.Inputs(context=kept.context if kept else ())
    for name, kind in types.items():
        if name in values:
            try:
                made.literals.add(name=name, value=literal_of(values[name], kind))
            except Unfit as error:
                wrong.append(f"{name}{error.path} must be {type_name(kind)}: {error.why}.")
                mixes_texts = mixes_texts or error.mixes_texts
            except RecursionError:
                wrong.append(f"{name} is nested too deeply, or holds itself.")
        elif name in before:
            made.literals.add(name=name, value=before[name])
        elif name == filled_later:
            continue
        elif name in defaults:
            made.literals.add(name=name, value=defaults[name])
        elif kind.WhichOneof("type") == "simple" and kind.simple == types_pb2.NONE:
            made.literals.add(name=name, value=literal_of(None, kind))
        else:
            wrong.append(f"{name} ({type_name(kind)}) is missing.")
    if wrong:
        task = details.task_id
        takes = ", ".join(
            f"{name}: {type_name(kind)}{' (has a default)' if name in defaults else ''}" for name, kind in types.items()
        )
        raise InputsError(
            f"The inputs do not fit task {task.name}, version {task.version}. {' '.join(wrong)} "
            f"The task takes {takes or 'no inputs'}.",
            mixes_texts=mixes_texts,
        )
    return made


def _unknown(name: object, types: Mapping[str, types_pb2.LiteralType]) -> str:
    if not isinstance(name, str):
        return f"{quoted(name)} is not the name of an input."
    close = difflib.get_close_matches(name, types, n=1)
    return f"{name!r} is no input of it{f', did you mean {close[0]}?' if close else '.'}"
