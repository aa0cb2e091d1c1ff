"""Flyte literals as plain Python values.

==================  ==============================================================================================
literal             value
==================  ==============================================================================================
primitive           int, float, str, bool, timezone-aware datetime, timedelta (a date is a midnight datetime; an
                    enum its name)
none                None
collection, map     list, dict
union               the value of its variant
msgpack binary      what it holds: dicts, lists, numbers (dataclasses, pydantic models, untyped dicts, tuples)
file, directory     ``{"type": "file" | "directory", "uri": ...}``, with ``format`` where one is given
structured dataset  ``{"type": "structured_dataset", "uri": ...}``, with ``format`` where one is given
pickle              ``{"type": "pickle", "size": ...}`` or ``uri``: never loaded, because loading runs code
offloaded           ``{"type": "offloaded", "uri": ..., "size": ...}``
anything else       ``{"type": "unreadable", "reason": ...}``
==================  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timezone
from typing import Any

import msgspec

from airflow_provider_flyte.client.idl.core import literals_pb2, types_pb2
from airflow_provider_flyte.client.idl.task import common_pb2
from airflow_provider_flyte.client.literals.message_dict import struct_values


def named_values(inputs_or_outputs: common_pb2.Inputs | common_pb2.Outputs) -> dict[str, Any]:
    """The values by name, of the inputs or outputs of an action."""
    return {named.name: value_of(named.value) for named in inputs_or_outputs.literals}


def value_of(literal: literals_pb2.Literal) -> Any:
    """The literal as a plain value. An odd literal becomes a description of itself, so that the others can be read."""
    try:
        return _value_of(literal)
    except Exception as error:
        return {"type": "unreadable", "reason": f"{type(error).__name__}: {error}"}


def _value_of(literal: literals_pb2.Literal) -> Any:
    which = literal.WhichOneof("value")
    if which == "scalar":
        return _scalar(literal.scalar)
    if which == "collection":
        return [value_of(item) for item in literal.collection.literals]
    if which == "map":
        return {key: value_of(item) for key, item in literal.map.literals.items()}
    if which == "offloaded_metadata":
        offloaded = literal.offloaded_metadata
        return {"type": "offloaded", "uri": offloaded.uri, "size": offloaded.size_bytes}
    return {"type": "unreadable", "reason": "the literal holds no value that this provider knows"}


def _scalar(scalar: literals_pb2.Scalar) -> Any:
    which = scalar.WhichOneof("value")
    if which not in _SCALARS:
        return {"type": "unreadable", "reason": f"a scalar of kind {which}"}
    return _SCALARS[which](getattr(scalar, which))


def _primitive(primitive: literals_pb2.Primitive) -> Any:
    which = primitive.WhichOneof("value")
    if which == "datetime":
        return primitive.datetime.ToDatetime(tzinfo=timezone.utc)
    if which == "duration":
        return primitive.duration.ToTimedelta()
    return getattr(primitive, which) if which else None


def _binary(binary: literals_pb2.Binary) -> Any:
    if binary.tag == "msgpack":
        return msgspec.msgpack.decode(binary.value)
    # The SDK's pickles carry no tag.
    return {"type": binary.tag or "pickle", "size": len(binary.value)}


def _blob(blob: literals_pb2.Blob) -> Any:
    kind = blob.metadata.type
    if kind.format == "PythonPickle":
        return {"type": "pickle", "uri": blob.uri}
    multipart = kind.dimensionality == types_pb2.BlobType.MULTIPART
    return _described("directory" if multipart else "file", blob.uri, kind.format)


def _dataset(dataset: literals_pb2.StructuredDataset) -> Any:
    return _described("structured_dataset", dataset.uri, dataset.metadata.structured_dataset_type.format)


def _described(kind: str, uri: str, file_format: str) -> dict[str, str]:
    described = {"type": kind, "uri": uri}
    return described | {"format": file_format} if file_format else described


_SCALARS: dict[str | None, Callable[[Any], Any]] = {
    "primitive": _primitive,
    "none_type": lambda _: None,
    "union": lambda union: value_of(union.value),
    "binary": _binary,
    "blob": _blob,
    "structured_dataset": _dataset,
    "schema": lambda schema: _described("schema", schema.uri, ""),
    "generic": struct_values,
    "error": lambda error: {"type": "error", "message": error.message},
}
