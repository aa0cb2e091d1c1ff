"""Plain Python values as Flyte literals, and plain types as a task's interface.

On purpose not the client's own conversion: the local server is what that one is tested against.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any, get_args, get_origin

from airflow_provider_flyte.client.idl.core import identifier_pb2 as core_identifier_pb2
from airflow_provider_flyte.client.idl.core import interface_pb2, literals_pb2, tasks_pb2, types_pb2
from airflow_provider_flyte.client.idl.task import common_pb2, environment_pb2, task_definition_pb2

_SIMPLE = {
    int: types_pb2.INTEGER,
    float: types_pb2.FLOAT,
    str: types_pb2.STRING,
    bool: types_pb2.BOOLEAN,
    datetime: types_pb2.DATETIME,
    timedelta: types_pb2.DURATION,
    None: types_pb2.NONE,
}


def literal(value: Any) -> literals_pb2.Literal:
    """A literal of a plain value: None, bool, int, float, str, datetime, date, timedelta, lists and dicts of them."""
    if isinstance(value, literals_pb2.Literal):
        return value
    made = literals_pb2.Literal()
    primitive = made.scalar.primitive
    if value is None:
        made.scalar.none_type.SetInParent()
    elif isinstance(value, bool):
        primitive.boolean = value
    elif isinstance(value, int):
        primitive.integer = value
    elif isinstance(value, float):
        primitive.float_value = value
    elif isinstance(value, str):
        primitive.string_value = value
    elif isinstance(value, datetime):
        primitive.datetime.FromDatetime(value if value.tzinfo else value.replace(tzinfo=timezone.utc))
    elif isinstance(value, date):
        primitive.datetime.FromDatetime(datetime(value.year, value.month, value.day, tzinfo=timezone.utc))
    elif isinstance(value, timedelta):
        primitive.duration.FromTimedelta(value)
    elif isinstance(value, (list, tuple)):
        made.collection.SetInParent()
        made.collection.literals.extend(literal(item) for item in value)
    elif isinstance(value, Mapping):
        made.map.SetInParent()
        for key, item in value.items():
            made.map.literals[str(key)].CopyFrom(literal(item))
    else:
        raise TypeError(f"no literal of {type(value).__name__}: give a core Literal message instead")
    return made


def named_literals(values: Mapping[str, Any]) -> list[common_pb2.NamedLiteral]:
    """Named literals, as inputs and outputs hold them."""
    return [common_pb2.NamedLiteral(name=name, value=literal(value)) for name, value in values.items()]


def pairs(values: Mapping[str, str]) -> list[literals_pb2.KeyValuePair]:
    """Environment variables."""
    return [literals_pb2.KeyValuePair(key=key, value=value) for key, value in values.items()]


def literal_type(given: Any) -> types_pb2.LiteralType:
    """The literal type of ``int``, ``list[str]``, ``dict[str, float]`` ..., or of a LiteralType message."""
    if isinstance(given, types_pb2.LiteralType):
        return given
    if given in _SIMPLE:
        return types_pb2.LiteralType(simple=_SIMPLE[given])
    if get_origin(given) is list:
        return types_pb2.LiteralType(collection_type=literal_type(get_args(given)[0]))
    if get_origin(given) is dict:
        return types_pb2.LiteralType(map_value_type=literal_type(get_args(given)[1]))
    raise TypeError(f"no literal type of {given!r}: give a core LiteralType message instead")


def task_spec(
    task_id: task_definition_pb2.TaskIdentifier,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    envs: Mapping[str, str],
) -> task_definition_pb2.TaskSpec:
    """A container task like those that the SDK deploys.

    :param inputs: Name to type, or to ``(type, default)``.
    :param outputs: Name to type.
    """
    types = {name: given[0] if isinstance(given, tuple) else given for name, given in inputs.items()}
    defaults = {name: given[1] for name, given in inputs.items() if isinstance(given, tuple)}
    environment, _, short_name = task_id.name.rpartition(".")
    return task_definition_pb2.TaskSpec(
        task_template=tasks_pb2.TaskTemplate(
            id=core_identifier_pb2.Identifier(
                resource_type=core_identifier_pb2.TASK,
                project=task_id.project,
                domain=task_id.domain,
                name=task_id.name,
                version=task_id.version,
            ),
            type="python",
            metadata=tasks_pb2.TaskMetadata(
                runtime=tasks_pb2.RuntimeMetadata(
                    type=tasks_pb2.RuntimeMetadata.FLYTE_SDK, version="2.12.1", flavor="python"
                )
            ),
            interface=interface_pb2.TypedInterface(inputs=_variables(types), outputs=_variables(outputs)),
            container=tasks_pb2.Container(
                image="ghcr.io/flyteorg/flyte:py3.12-v2.0.0",
                args=["a0", "--inputs", "{{.input}}", "--outputs-path", "{{.outputPrefix}}"],
                env=pairs(envs),
            ),
        ),
        default_inputs=[
            common_pb2.NamedParameter(
                name=name,
                parameter=interface_pb2.Parameter(
                    var=interface_pb2.Variable(type=literal_type(types[name])), default=literal(value)
                ),
            )
            for name, value in defaults.items()
        ],
        short_name=short_name,
        environment=environment_pb2.Environment(name=environment),
    )


def _variables(types: Mapping[str, Any]) -> interface_pb2.VariableMap:
    return interface_pb2.VariableMap(
        variables=[
            interface_pb2.VariableEntry(key=name, value=interface_pb2.Variable(type=literal_type(types[name])))
            for name in sorted(types)
        ]
    )
