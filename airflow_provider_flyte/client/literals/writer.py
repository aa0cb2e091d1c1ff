"""Plain Python and JSON values as Flyte literals, by the task's own types and as the Flyte SDK writes them.

===================  =============================================================================================
type                 values
===================  =============================================================================================
int                  integers of 64 bits; neither 1.0 nor True
float                floats, and integers that a float holds exactly
str, bool            str, bool
datetime, date       datetime, date, ISO 8601 text; without a zone it is UTC
timedelta            timedelta, seconds, ISO 8601 text (``PT5M``)
list, dict           lists and tuples; dicts with str keys
Optional, Union      the variant of the value's own Python type, else the first that fits
enum                 a name as the type lists it, or an Enum member
dataclass, model     a dict with the fields, checked by the schema of the type; a dataclass or pydantic model itself
tuple[...]           a list or tuple of as many items
dict (untyped)       dicts of what msgpack holds
file, directory,     its URI, or a description as ``outputs()`` gives it: ``{"type": "file", "uri": "s3://..."}``
structured dataset
===================  =============================================================================================

Anything else can be given as a ready-made ``flyteidl2.core.Literal`` of :mod:`airflow_provider_flyte.client.idl`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import Enum
from typing import Any

import msgspec

from airflow_provider_flyte.client.idl.core import literals_pb2, types_pb2
from airflow_provider_flyte.client.literals import schema as struct_schema
from airflow_provider_flyte.client.literals import values as plain
from airflow_provider_flyte.client.literals.message_dict import message_dict
from airflow_provider_flyte.client.literals.read_from_text import ReadFromText
from airflow_provider_flyte.client.literals.spelling import unspell
from airflow_provider_flyte.client.literals.types import is_pickle, is_tuple, type_name
from airflow_provider_flyte.client.literals.values import Unfit, within
from airflow_provider_flyte.client.quoting import quoted

# google.protobuf.Duration's own bound: about 10,000 years.
_LONGEST = timedelta(seconds=315_576_000_000)


def literal_of(value: object, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
    """The literal of this type.

    :raises Unfit: where the value cannot be of the type.
    """
    if isinstance(value, ReadFromText):
        made: literals_pb2.Literal = plain.either(literal_of, value, kind)
        return made
    if isinstance(value, literals_pb2.Literal):
        return value
    value = unspell(plain.unpacked(value))
    if is_pickle(kind):
        raise Unfit(
            f"{quoted(value)} cannot be sent: the task takes a pickled Python object, which only Python code with "
            "the Flyte SDK can make. Give the task's parameter another type"
        )
    which = kind.WhichOneof("type") or ""
    if which not in _WRITERS:
        raise Unfit(f"{quoted(value)} cannot be sent: values of type {type_name(kind)} cannot be made here")
    return _WRITERS[which](value, kind)


def _simple(value: object, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
    made = literals_pb2.Literal()
    primitive = made.scalar.primitive
    simple = kind.simple
    if simple == types_pb2.INTEGER:
        primitive.integer = plain.integer(value)
    elif simple == types_pb2.FLOAT:
        primitive.float_value = plain.number(value)
    elif simple == types_pb2.STRING:
        primitive.string_value = plain.text(value)
    elif simple == types_pb2.BOOLEAN:
        primitive.boolean = plain.boolean(value)
    elif simple == types_pb2.DATETIME:
        primitive.datetime.FromDatetime(plain.moment(value))
    elif simple == types_pb2.DURATION:
        length = plain.duration(value)
        if abs(length) > _LONGEST:
            raise Unfit(f"{quoted(value)} is longer than Flyte can hold")
        primitive.duration.FromTimedelta(length)
    elif simple == types_pb2.STRUCT:
        made.scalar.binary.CopyFrom(literals_pb2.Binary(value=_packed(value, kind), tag="msgpack"))
    elif simple == types_pb2.NONE:
        if value is not None:
            raise plain.not_a("None", value)
        made.scalar.none_type.SetInParent()
    else:
        raise Unfit(f"{quoted(value)} cannot be sent: values of type {type_name(kind)} cannot be made here")
    return made


def _packed(value: object, kind: types_pb2.LiteralType) -> bytes:
    if is_tuple(kind) and not isinstance(value, Mapping):
        value = {f"item_{index}": item for index, item in enumerate(plain.sequence(value))}
    if not kind.HasField("metadata"):
        return msgspec.msgpack.encode(plain.anything(plain.mapping(value)))
    schema = message_dict(kind.metadata)
    return msgspec.msgpack.encode(struct_schema.fit(value, schema, schema))


def _collection(value: object, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
    items = [within(n, literal_of, item, kind.collection_type) for n, item in enumerate(plain.sequence(value))]
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))


def _map(value: object, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
    items = {
        within(key, plain.text, key): within(key, literal_of, item, kind.map_value_type)
        for key, item in plain.mapping(value).items()
    }
    return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=items))


def _union(value: object, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
    variants = list(kind.union_type.variants)
    errors = []
    # sorted() keeps the order of equals: the own type first, as the SDK has it, then in the order of the type.
    for variant in sorted(variants, key=lambda variant: not _is_own_type(value, variant)):
        try:
            made = literal_of(value, variant)
        except Unfit as error:
            errors.append((variant, error))
        else:
            return literals_pb2.Literal(
                scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=made, type=variant)),
            )
    specific = [error for variant, error in errors if not _is_own_type(None, variant)]
    # For an Optional the one real variant shows best what is wrong.
    raise specific[0] if len(specific) == 1 else plain.not_a(type_name(kind), value)


def _is_own_type(value: object, kind: types_pb2.LiteralType) -> bool:
    own = _OWN_TYPES.get(kind.simple if kind.WhichOneof("type") == "simple" else kind.WhichOneof("type"), ())
    # True is an int to Python.
    return isinstance(value, own) and (not isinstance(value, bool) or own == (bool,))


_OWN_TYPES: dict[int | str | None, tuple[type[Any], ...]] = {
    types_pb2.NONE: (type(None),),
    types_pb2.INTEGER: (int,),
    types_pb2.FLOAT: (float,),
    types_pb2.STRING: (str,),
    types_pb2.BOOLEAN: (bool,),
    types_pb2.DATETIME: (date,),  # datetime's base
    types_pb2.DURATION: (timedelta,),
    types_pb2.STRUCT: (Mapping,),
    "collection_type": (list, tuple),
    "map_value_type": (Mapping,),
    "enum_type": (Enum,),
}


def _enum(value: object, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
    allowed = list(kind.enum_type.values)
    # The type lists the names; of a typing.Literal, which is sent as an enum too, the values.
    candidates = [value.name, value.value] if isinstance(value, Enum) else [value]
    for candidate in candidates:
        if isinstance(candidate, str) and candidate in allowed:
            return literals_pb2.Literal(
                scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value=str.__str__(candidate)))
            )
    raise Unfit(f"{quoted(value)} is none of {', '.join(map(repr, allowed))}")


def _blob(value: object, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
    uri, file_format = _described(value, type_name(kind))
    made = literals_pb2.Blob(metadata=literals_pb2.BlobMetadata(type=kind.blob), uri=uri)
    made.metadata.type.format = file_format or kind.blob.format
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=made))


def _dataset(value: object, kind: types_pb2.LiteralType) -> literals_pb2.Literal:
    uri, file_format = _described(value, "structured_dataset")
    made = literals_pb2.StructuredDataset(
        uri=uri,
        metadata=literals_pb2.StructuredDatasetMetadata(structured_dataset_type=kind.structured_dataset_type),
    )
    # What the task asks for goes before what the value names, as in the SDK.
    made.metadata.structured_dataset_type.format = kind.structured_dataset_type.format or file_format
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(structured_dataset=made))


def _described(value: object, kind: str) -> tuple[str, str]:
    """URI and format, of a URI or of a description such as ``outputs()`` gives."""
    file_format = ""
    uri = value
    if isinstance(value, Mapping):
        if value.get("type", kind) != kind or "uri" not in value or set(value) - {"type", "uri", "format"}:
            raise plain.not_a(f"a {kind}: give its URI, or {{'type': {kind!r}, 'uri': ...}}", value)
        uri, file_format = value["uri"], plain.text(value.get("format", ""))
    if not isinstance(uri, str):
        raise plain.not_a(f"the URI of a {kind}, such as 's3://bucket/path'", uri)
    if "://" not in uri:
        raise Unfit(
            f"{quoted(uri)} has no scheme: give the URI of a {kind} where the task can read it, such as "
            "'s3://bucket/path'; nothing is uploaded from here"
        )
    return plain.text(uri), file_format


_WRITERS: dict[str, Callable[[Any, types_pb2.LiteralType], literals_pb2.Literal]] = {
    "simple": _simple,
    "collection_type": _collection,
    "map_value_type": _map,
    "union_type": _union,
    "enum_type": _enum,
    "blob": _blob,
    "structured_dataset_type": _dataset,
}
