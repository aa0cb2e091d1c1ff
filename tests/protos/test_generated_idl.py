"""The generated package is ``protos/`` under our names.

``make protos-check`` generates again and compares the text; what is here needs no generator.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import derive_protos
import generate_idl
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import Message

from tests.protos import wire_check

PATHS = sorted(derive_protos.on_disk())


def our_file(path: str) -> FileDescriptor:
    module = generate_idl.moved_path(Path(path)).as_posix().removesuffix(".proto").replace("/", ".")
    file: FileDescriptor = importlib.import_module(module + "_pb2").DESCRIPTOR
    return file


def proto_of(file: Any) -> FileDescriptorProto:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    return proto


def keep_our_options(message: Message) -> None:
    """Drop the options that the derivation drops, at any depth."""
    for field, value in message.ListFields():
        if field.name == "options":
            kept = {
                option.name: choice
                for option, choice in value.ListFields()
                if option.name in {*derive_protos.KEPT_OPTIONS, "map_entry"}
            }
            message.ClearField("options")
            for name, choice in kept.items():
                setattr(message.options, name, choice)  # type: ignore[attr-defined]
        elif field.message_type is not None:
            for inner in value if wire_check.is_repeated(field) else [value]:
                keep_our_options(inner)


def with_flyte_names(message: Message) -> None:
    """Give the types that are referred to Flyte's names, at any depth, and fields the JSON names that protoc omits."""
    if isinstance(message, FieldDescriptorProto) and not message.json_name:
        message.json_name = derive_protos._json_name(message.name)
    for field, value in message.ListFields():
        if field.name in ("type_name", "input_type", "output_type"):
            setattr(message, field.name, "." + wire_check.flyte_name(value.removeprefix(".")))
        elif field.message_type is not None:
            for inner in value if wire_check.is_repeated(field) else [value]:
                with_flyte_names(inner)


def top_level(proto: FileDescriptorProto) -> list[str]:
    groups = (proto.service, proto.message_type, proto.enum_type)
    return [item.name for group in groups for item in group]


@pytest.mark.parametrize("path", PATHS)
def test_descriptors_equal_flytes(path: str) -> None:
    """Everything of a file that is ours is in Flyte's with the same fields, numbers, types, ranges and order."""
    ours = proto_of(our_file(path))
    theirs = proto_of(descriptor_pool.Default().FindFileByName(path))
    chosen = set(top_level(ours))
    assert chosen <= set(top_level(theirs))

    wanted = FileDescriptorProto(syntax=theirs.syntax)
    wanted.message_type.extend(item for item in theirs.message_type if item.name in chosen)
    wanted.enum_type.extend(item for item in theirs.enum_type if item.name in chosen)
    for service in theirs.service:
        if service.name in chosen:
            methods = derive_protos.RPCS[path][service.name]
            added = wanted.service.add(name=service.name)
            added.method.extend(method for method in service.method if method.name in methods)
    keep_our_options(wanted)

    for gone in ("name", "package", "dependency", "options"):
        ours.ClearField(gone)
    with_flyte_names(ours)
    with_flyte_names(wanted)
    assert derive_protos.drift({path: str(wanted)}, {path: str(ours)}) == []


@pytest.mark.parametrize("path", PATHS)
def test_the_files_hold_what_protos_say(path: str) -> None:
    text = derive_protos.on_disk()[path]
    named = re.findall(r"(?m)^(?:service|message|enum) (\w+)", text)
    assert sorted(named) == sorted(top_level(proto_of(our_file(path))))
    imported = {Path(name) for name in re.findall(r'(?m)^import "(.+)";$', text)}
    moved = {
        (name if name.is_relative_to("google/protobuf") else generate_idl.moved_path(name)).as_posix()
        for name in imported
    }
    assert moved == set(proto_of(our_file(path)).dependency)


def test_no_file_besides() -> None:
    folder = generate_idl.OUT
    stems = {generate_idl.moved_path(Path(path)).as_posix().removesuffix(".proto") for path in PATHS}
    root = folder.parents[len(generate_idl.IDL.split(".")) - 1]
    found = {path.relative_to(root).as_posix() for path in folder.rglob("*.py*") if "__pycache__" not in path.parts}
    parents = {parent for stem in stems for parent in Path(stem).parents}
    inits = {f"{each.as_posix()}/__init__.py" for each in parents if each.is_relative_to(folder.relative_to(root))}
    assert found == {f"{stem}_pb2{suffix}" for stem in stems for suffix in (".py", ".pyi")} | inits


def test_the_stubs_name_the_same_fields() -> None:
    for path in PATHS:
        file = our_file(path)
        stub = Path(generate_idl.ROOT, *generate_idl.moved_path(Path(path)).parts).with_suffix("")
        text = stub.with_name(stub.name + "_pb2.pyi").read_text()
        numbers = {f"{name}_FIELD_NUMBER" for message in proto_of(file).message_type for name in _fields(message)}
        assert set(re.findall(r"\b(\w+_FIELD_NUMBER): _ClassVar\[int\]", text)) == numbers


def _fields(message: DescriptorProto) -> set[str]:
    inner = {name for nested in message.nested_type for name in _fields(nested)}
    return {field.name.upper() for field in message.field} | inner


def test_moving_changes_package_imports_and_google_rpc_only() -> None:
    moved = generate_idl.move(
        "package flyteidl2.logs.dataplane;\n"
        'import "flyteidl2/core/types.proto";\n'
        'import "google/rpc/status.proto";\n'
        'import "google/protobuf/any.proto";\n'
        "message M {\n"
        "  google.rpc.Status status = 1;\n"
        "  repeated google.rpc.Status more = 2;\n"
        "  google.protobuf.Any any = 3;\n"
        "  core.LiteralType type = 4;\n"
        '  string flyteidl2 = 5 [json_name = "flyteidl2.core"];\n'
        "}\n"
    )
    assert moved == (
        "package airflow_provider_flyte.client.idl.logs.dataplane;\n"
        'import "airflow_provider_flyte/client/idl/core/types.proto";\n'
        'import "airflow_provider_flyte/client/idl/google_rpc/status.proto";\n'
        'import "google/protobuf/any.proto";\n'
        "message M {\n"
        "  .airflow_provider_flyte.client.idl.google_rpc.Status status = 1;\n"
        "  repeated .airflow_provider_flyte.client.idl.google_rpc.Status more = 2;\n"
        "  google.protobuf.Any any = 3;\n"
        "  core.LiteralType type = 4;\n"
        '  string flyteidl2 = 5 [json_name = "flyteidl2.core"];\n'
        "}\n"
    )


def test_a_package_without_a_new_place_is_refused() -> None:
    with pytest.raises(ValueError, match="add its package to MOVED"):
        generate_idl.moved_path(Path("buf/validate/validate.proto"))


def test_differences_name_the_files(tmp_path: Path) -> None:
    made, kept = tmp_path / "made", tmp_path / "kept"
    for folder, files in (
        (made, {"same": "1", "new": "1", "other": "1"}),
        (kept, {"same": "1", "other": "2", "old": "1"}),
    ):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    (kept / "__pycache__").mkdir()
    (kept / "__pycache__" / "x.pyc").write_text("")
    assert generate_idl.differences(made, kept) == [
        "new: missing",
        "old: not generated from protos/",
        "other: differs",
    ]
    assert generate_idl.differences(made, made) == []
