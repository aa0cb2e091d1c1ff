"""Compare our generated messages with Flyte's own classes: bytes, ``MessageToDict`` and ``MessageToJson``.

Needs protobuf and flyteidl2 only, so that it runs as a script on any release of protobuf
(``scripts/check_protobuf_versions.py``); the tests beside it call the same functions. Both sides run in one process on
the same protobuf, and the values are made through Flyte's classes.

Directed messages set one field each, on a shortest way from the root, with every value that could matter (each enum
number and one that does not exist, extremes, set defaults). Random ones set many.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import random
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import google.protobuf
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.internal import api_implementation
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2

# What puts Flyte's own messages into the pool.
FLYTE_FILES = [
    importlib.import_module(f"flyteidl2.{name}_pb2").DESCRIPTOR
    for name in (
        "auth.auth_service",
        "cluster.service",
        "dataproxy.dataproxy_service",
        "project.project_service",
        "task.task_service",
        "trigger.trigger_service",
        "workflow.internal_run_service",
        "workflow.run_service",
        "workflow.translator_service",
    )
]
OURS = "airflow_provider_flyte.client.idl."
UNKNOWN_ENUM = 9999
SEED = 20


# Each implementation of protobuf has descriptor classes of its own, so they have no common type.
Field = Any
Route = tuple[Field, ...]


def flyte_name(name: str) -> str:
    """Return Flyte's name of a message, an enum or a field of ours."""
    if name.startswith(OURS + "google_rpc."):
        return "google.rpc." + name[len(OURS + "google_rpc.") :]
    return "flyteidl2." + name[len(OURS) :] if name.startswith(OURS) else name


def flyte_class(ours: type[Message]) -> type[Message]:
    """Return Flyte's own class of one of our messages."""
    descriptor = descriptor_pool.Default().FindMessageTypeByName(flyte_name(ours.DESCRIPTOR.full_name))
    return message_factory.GetMessageClass(descriptor)


def roots() -> list[type[Message]]:
    """Return RunDetails and every message that an RPC takes or gives, ours."""
    classes: dict[str, type[Message]] = {}
    classes["RunDetails"] = run_definition_pb2.RunDetails
    for row in rpc.METHODS:
        for cls in (row.request, row.response):
            classes[cls.DESCRIPTOR.full_name] = cls
    return list(classes.values())


def is_repeated(item: Field) -> bool:
    """Whether a field is a list or a map; old protobuf has no ``is_repeated``, the newest no ``label``."""
    known = getattr(item, "is_repeated", None)
    return bool(known) if known is not None else item.label == FieldDescriptor.LABEL_REPEATED


def is_map(item: Field) -> bool:
    """Whether a field is a map."""
    return item.message_type is not None and item.message_type.GetOptions().map_entry


def key_of(item: Field) -> Field:
    """Return the field of a map's keys."""
    return item.message_type.fields_by_name["key"]


def element_of(item: Field) -> Field:
    """Return the field of a map's values, or the field itself."""
    return item.message_type.fields_by_name["value"] if is_map(item) else item


def target(item: Field) -> Any:
    """Return the message that a field, a list or a map of them holds, if it holds messages."""
    return element_of(item).message_type


def routes(root: Any) -> dict[str, Route]:
    """Return a shortest way to every field that can be reached from a message, by the field's full name.

    A map counts as one field: the ``key`` and ``value`` of its entries are not counted.
    """
    found: dict[str, Route] = {}
    seen = {root.full_name}
    level: list[tuple[Any, Route]] = [(root, ())]
    while level:
        deeper: list[tuple[Any, Route]] = []
        for message, way in level:
            for item in message.fields:
                found[item.full_name] = (*way, item)
                inner = target(item)
                if inner is not None and inner.full_name not in seen:
                    seen.add(inner.full_name)
                    deeper.append((inner, (*way, item)))
        level = deeper
    return found


def touched(message: Message) -> set[str]:
    """Return the full names of all fields that are set in a message, at any depth."""
    names = set()
    for item, value in message.ListFields():
        names.add(item.full_name)
        if target(item) is None:
            continue
        for inner in value.values() if is_map(item) else value if is_repeated(item) else [value]:
            names |= touched(inner)
    return names


# --- values -----------------------------------------------------------------------------------------------------------

_SINGLE = [0.0, 0.1, -2.5, 3.4028234663852886e38, float("inf"), float("nan")]
_SINGLE = [struct.unpack("f", struct.pack("f", value))[0] for value in _SINGLE]
_VALUES: dict[int, list[Any]] = {
    FieldDescriptor.CPPTYPE_INT32: [0, 1, -1, 2**31 - 1, -(2**31)],
    FieldDescriptor.CPPTYPE_INT64: [0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)],
    FieldDescriptor.CPPTYPE_UINT32: [0, 1, 2**32 - 1],
    FieldDescriptor.CPPTYPE_UINT64: [0, 1, 2**53 + 1, 2**64 - 1],
    FieldDescriptor.CPPTYPE_DOUBLE: [0.0, 0.1, -1e300, 5e-324, float("-inf"), float("nan")],
    FieldDescriptor.CPPTYPE_FLOAT: _SINGLE,
    FieldDescriptor.CPPTYPE_BOOL: [False, True],
    FieldDescriptor.CPPTYPE_STRING: ["", "r1", 'Grüße \N{SNOWMAN} \U0001f680 "<&>" \u2028 \x00\n'],
}
_BYTES = [b"", b"\x00\xff", bytes(range(256))]
# What JSON cannot hold elsewhere than in a plain field.
_LIMITED: dict[str, list[Any]] = {
    "google.protobuf.Timestamp.seconds": [0, -62_135_596_800, 1_700_000_000, 253_402_300_799],
    "google.protobuf.Timestamp.nanos": [0, 1, 120_000_000, 999_999_999],
    "google.protobuf.Duration.seconds": [0, 90, 315_576_000_000],
    "google.protobuf.Duration.nanos": [0, 1, 1_500_000, 999_999_999],
    "google.protobuf.Value.number_value": [0.0, -1.5, 1e300],
    "google.protobuf.Value.null_value": [0],
}


def values(item: Field) -> list[Any]:
    """Return the values that matter for a scalar field, the default first."""
    if item.full_name in _LIMITED:
        return _LIMITED[item.full_name]
    if item.enum_type is not None:
        numbers = [value.number for value in item.enum_type.values]
        return [*sorted(set(numbers)), UNKNOWN_ENUM]
    if item.type == FieldDescriptor.TYPE_BYTES:
        return _BYTES
    return _VALUES[item.cpp_type]


def complete(message: Message) -> Message:
    """Give a message that JSON cannot hold empty its least content."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Value":
        message.string_value = "v"  # type: ignore[attr-defined]
    elif name == "google.protobuf.Any":
        message.Pack(StringValue(value="packed"))  # type: ignore[attr-defined]
    return message


def enter(message: Message, item: Field, key: Any = None) -> Message:
    """Return the message in a field, a new one of a list, or one of a map, and make it present."""
    inside = getattr(message, item.name)
    if is_map(item):
        inner = inside[values(key_of(item))[1] if key is None else key]
    elif is_repeated(item):
        inner = inside.add()
    else:
        inner = inside
        inner.SetInParent()
    return inner  # type: ignore[no-any-return]


def put(message: Message, item: Field, chosen: list[Any]) -> None:
    """Set a field of scalars: one value, a list, or a map with as many keys as there are."""
    if is_map(item):
        keys = values(key_of(item))
        for key, value in zip(keys, chosen, strict=False):
            getattr(message, item.name)[key] = value
    elif is_repeated(item):
        getattr(message, item.name).extend(chosen)
    else:
        setattr(message, item.name, chosen[-1])


def directed(cls: type[Message], way: Route) -> Iterator[Message]:
    """Make messages which set the last field of a way, one for every value that matters."""
    *path, last = way

    def start() -> tuple[Message, Message]:
        root = inner = cls()
        for step in path:
            inner = enter(inner, step)
        return root, inner

    if last.containing_type.full_name == "google.protobuf.Any":
        root, inner = start()
        complete(inner)
        yield root
    elif target(last) is not None:
        root, inner = start()
        complete(enter(inner, last))
        yield root
        if is_repeated(last):
            keys = values(key_of(last)) if is_map(last) else [None] * 3
            for key in keys:
                complete(enter(inner, last, key))
            yield root
    else:
        scalar = element_of(last)
        if is_repeated(last):
            root, inner = start()
            put(inner, last, values(scalar))
            yield root
        else:
            # Without presence a default is not set at all, and the message would be of the way alone.
            for value in values(scalar)[0 if last.has_presence else 1 :]:
                root, inner = start()
                put(inner, last, [value])
                yield root


def scramble(message: Message, rng: random.Random, depth: int = 0) -> None:
    """Set fields of a message at random, less and less of them the deeper they are."""
    name = message.DESCRIPTOR.full_name
    if name in ("google.protobuf.Value", "google.protobuf.Any"):
        complete(message)
        if name.endswith("Any") or depth > 6:
            return
    for item in message.DESCRIPTOR.fields:
        inner = target(item)
        often = 0.9 if depth < 2 else 0.55 if depth < 5 else 0.2 if depth < 9 else 0.0
        if rng.random() > (often if inner is not None else max(often, 0.3)):
            continue
        if inner is None:
            known = values(element_of(item))
            put(message, item, rng.choices(known, k=rng.randint(1, 3)))
        else:
            for _ in range(rng.randint(1, 2) if is_repeated(item) else 1):
                key = rng.choice(values(key_of(item))) if is_map(item) else None
                scramble(complete(enter(message, item, key)), rng, depth + 1)


# --- the comparison ---------------------------------------------------------------------------------------------------


def to_dict(message: Message) -> Any:
    """Return what ``RunDetails.to_dict()`` is made of."""
    return json_format.MessageToDict(message)


def to_json(message: Message) -> str:
    """Return sorted JSON."""
    return json_format.MessageToJson(message, sort_keys=True)


def to_bytes(message: Message) -> bytes:
    """Return the deterministic bytes."""
    return message.SerializeToString(deterministic=True)


def compare(theirs: Message, ours: type[Message]) -> Message:
    """Check that our class reads and writes a message exactly as Flyte's does; return it as ours."""
    wire = to_bytes(theirs)
    mine = ours.FromString(wire)
    expected = to_dict(theirs)
    views: list[tuple[str, Any, Any]] = [
        ("bytes", to_bytes(mine), wire),
        ("MessageToDict", to_dict(mine), expected),
        ("MessageToJson", to_json(mine), to_json(theirs)),
        ("MessageToDict, proto names", _proto_names(mine), _proto_names(theirs)),
        # Sets every field by its name, where parsing sets them by their numbers.
        ("bytes of ParseDict", to_bytes(json_format.ParseDict(expected, ours())), wire),
        ("fields", {flyte_name(name) for name in touched(mine)}, touched(theirs)),
    ]
    for view, got, wanted in views:
        if got != wanted:
            raise AssertionError(
                f"{ours.DESCRIPTOR.full_name}: {view} differs\n  ours   {got!r}\n  Flyte's {wanted!r}\n  of {theirs!r}"
            )
    return mine


def _proto_names(message: Message) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True, use_integers_for_enums=True)


@dataclass
class Report:
    """What was compared."""

    fields: int = 0
    messages: int = 0
    missed: set[str] = field(default_factory=set)


def check_fields(ours: type[Message], done: set[str] | None = None) -> Report:
    """Compare directed messages for every field that a class reaches, but those that are ``done``."""
    theirs = flyte_class(ours)
    done = set() if done is None else done
    ways = routes(theirs.DESCRIPTOR)
    mine = {flyte_name(name) for name in routes(ours.DESCRIPTOR)}
    assert mine == ways.keys(), f"{ours.DESCRIPTOR.full_name}: fields differ: {sorted(mine ^ ways.keys())}"
    report, seen = Report(fields=len(ways.keys() - done)), set()
    for name, way in ways.items():
        if name in done:
            continue
        for message in directed(theirs, way):
            seen |= {flyte_name(touched_name) for touched_name in touched(compare(message, ours))}
            report.messages += 1
    report.missed = ways.keys() - done - seen
    assert not report.missed, f"{ours.DESCRIPTOR.full_name}: no message sets {sorted(report.missed)}"
    done.update(ways)
    return report


def check_random(ours: type[Message], count: int, seed: int = SEED) -> Report:
    """Compare random messages."""
    theirs, rng, seen = flyte_class(ours), random.Random(seed), set()
    for _ in range(count):
        message = theirs()
        scramble(message, rng)
        seen |= touched(compare(message, ours))
    return Report(fields=len(seen), messages=count)


# --- messages from a newer server -------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    """Encode a number as the wire format does."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def newer(message: Message) -> bytes:
    """Return a message's bytes with three fields that no class knows, in every message inside it too."""
    out = b""
    for item, value in message.ListFields():
        plain = type(message)()
        if target(item) is None or is_map(item):
            # Maps stay: an unknown field of a map's entry is lost by design.
            plain.MergeFrom(message)
            for other, _ in message.ListFields():
                if other.name != item.name:
                    plain.ClearField(other.name)
            out += to_bytes(plain)
        else:
            for inner in value if is_repeated(item) else [value]:
                body = to_bytes(inner) if _well_known(inner) else newer(inner)
                out += varint(item.number << 3 | 2) + varint(len(body)) + body
    text, number, nested = varint(3001 << 3 | 2), varint(3002 << 3), varint(3003 << 3 | 2)
    return out + text + b"\x03new" + number + b"\x2a" + nested + b"\x02\x08\x01"


def _well_known(message: Message) -> bool:
    return message.DESCRIPTOR.full_name.startswith("google.protobuf.")


def check_unknown_fields(ours: type[Message], count: int, seed: int = SEED) -> None:
    """Check that fields of a newer server survive a round trip, change nothing that we know, and raise nowhere."""
    theirs, rng = flyte_class(ours), random.Random(seed)
    for _ in range(count):
        message = theirs()
        scramble(message, rng)
        wire = newer(message)
        mine = ours.FromString(wire)
        assert to_bytes(mine) == wire
        copy = ours()
        copy.CopyFrom(mine)
        assert to_bytes(copy) == wire
        assert copy == mine
        assert to_dict(mine) == to_dict(message)
        assert to_json(mine) == to_json(message)
        repr(mine)
        assert touched(theirs.FromString(mine.SerializeToString())) == touched(message)


def check_unknown_enums(ours: type[Message]) -> int:
    """Check that a number which an enum lacks survives and shows as that integer, in every enum field; count them."""
    checked = 0
    for name, way in routes(ours.DESCRIPTOR).items():
        last = way[-1]
        scalar = element_of(last)
        if scalar.enum_type is None or name.startswith("google.protobuf."):
            continue
        root = inner = ours()
        for step in way[:-1]:
            inner = enter(inner, step)
        put(inner, last, [UNKNOWN_ENUM])
        again = ours.FromString(root.SerializeToString())
        assert again == root
        assert _leaves(to_dict(again)) == [UNKNOWN_ENUM], to_dict(again)
        checked += 1
    return checked


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]


def main() -> int:
    """Run everything and print what was compared."""
    began = time.perf_counter()
    details, *others = roots()
    done: set[str] = set()
    first = check_fields(details, done)
    rest = [check_fields(cls, done) for cls in others]
    drawn = [check_random(details, 100), *(check_random(cls, 3) for cls in others)]
    check_unknown_fields(details, 30)
    enums = check_unknown_enums(details)
    print(  # noqa: T201
        f"protobuf {google.protobuf.__version__} {api_implementation.Type()}, "
        f"flyteidl2 {importlib.metadata.version('flyteidl2')}: equal in "
        f"{first.fields} fields of RunDetails ({first.messages} messages), "
        f"{sum(report.fields for report in rest)} more of {len(rest)} requests and responses "
        f"({sum(report.messages for report in rest)}), {sum(report.messages for report in drawn)} random messages; "
        f"{enums} enum fields keep unknown numbers; {time.perf_counter() - began:.1f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
