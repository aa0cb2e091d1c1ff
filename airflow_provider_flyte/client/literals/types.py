"""Flyte's literal types as Python users write them, and what their tags mean."""

from __future__ import annotations

from airflow_provider_flyte.client.idl.core import types_pb2

SIMPLE_NAMES: dict[int, str] = {
    types_pb2.NONE: "None",
    types_pb2.INTEGER: "int",
    types_pb2.FLOAT: "float",
    types_pb2.STRING: "str",
    types_pb2.BOOLEAN: "bool",
    types_pb2.DATETIME: "datetime",
    types_pb2.DURATION: "timedelta",
    types_pb2.STRUCT: "dict",
    types_pb2.BINARY: "bytes",
    types_pb2.ERROR: "error",
}

_PICKLE_TAG = "FlytePickle"
_PICKLE_FORMAT = "PythonPickle"
# The SDK sends tuple[int, str], named tuples and typed dicts as objects of these names.
_TUPLE_TITLE = "TupleWrapper_"
_WRAPPERS = (_TUPLE_TITLE, "NamedTupleWrapper_", "TypedDictWrapper_")


def type_name(given: types_pb2.LiteralType) -> str:
    """The type as Python would write it: ``list[int]``, ``int | None``, ``Point``."""
    which = given.WhichOneof("type")
    if is_pickle(given):
        return "a pickled Python object"
    if which == "simple":
        return struct_title(given) or SIMPLE_NAMES.get(given.simple, f"simple type {given.simple}")
    if which == "collection_type":
        return f"list[{type_name(given.collection_type)}]"
    if which == "map_value_type":
        return f"dict[str, {type_name(given.map_value_type)}]"
    if which == "union_type":
        return " | ".join(type_name(variant) for variant in given.union_type.variants)
    if which == "enum_type":
        return f"enum of {', '.join(given.enum_type.values)}"
    if which == "blob":
        return "directory" if given.blob.dimensionality == types_pb2.BlobType.MULTIPART else "file"
    return {"structured_dataset_type": "structured dataset", "schema": "schema"}.get(which or "", "unknown type")


def is_pickle(given: types_pb2.LiteralType) -> bool:
    """Whether the SDK pickles values of this type: ``bytes``, ``Any``, and whatever it has no other way for."""
    which = given.WhichOneof("type")
    if which == "union_type":
        variants = given.union_type.variants
        return bool(variants) and all(variant.structure.tag == _PICKLE_TAG for variant in variants)
    return which == "blob" and given.blob.format == _PICKLE_FORMAT


def struct_title(given: types_pb2.LiteralType) -> str:
    """Name of the dataclass or model that an object stands for, '' for an untyped dict."""
    title = given.metadata.fields["title"].string_value if "title" in given.metadata.fields else ""
    for wrapper in _WRAPPERS:
        title = title.removeprefix(wrapper)
    return "tuple" if is_tuple(given) else title


def is_tuple(given: types_pb2.LiteralType) -> bool:
    """Whether the object stands for a ``tuple[...]``: its fields are ``item_0``, ``item_1`` ..."""
    return given.metadata.fields["title"].string_value.startswith(_TUPLE_TITLE) if given.HasField("metadata") else False
