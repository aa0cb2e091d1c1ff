"""Derive ``protos/**.proto`` from the descriptors of the installed ``flyteidl2`` package.

Taken are the RPCs listed in ``RPCS`` and every top-level message or enum they reach, whole. Flyte's packages, numbers
and names stay; options that only other tools read (validation, OpenAPI, names in other languages) go.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.metadata
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)
from google.protobuf.message import Message

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"

RPCS: dict[str, dict[str, tuple[str, ...]]] = {
    "flyteidl2/auth/auth_service.proto": {
        "AuthMetadataService": ("GetOAuth2Metadata", "GetPublicClientConfig"),
    },
    "flyteidl2/cluster/service.proto": {
        "ClusterService": ("SelectCluster",),
    },
    "flyteidl2/dataproxy/dataproxy_service.proto": {
        "DataProxyService": ("GetActionData", "TailLogs", "UploadInputs"),
    },
    "flyteidl2/project/project_service.proto": {
        "ProjectService": ("GetProject", "ListProjects"),
    },
    "flyteidl2/task/task_service.proto": {
        "TaskService": ("DeployTask", "GetTaskDetails", "ListTasks", "ListVersions"),
    },
    "flyteidl2/trigger/trigger_service.proto": {
        "TriggerService": ("DeployTrigger", "GetTriggerDetails", "ListTriggers"),
    },
    "flyteidl2/workflow/internal_run_service.proto": {
        "InternalRunService": ("RecordAction", "RecordActionEvents", "UpdateActionStatus"),
    },
    "flyteidl2/workflow/run_service.proto": {
        "RunService": (
            "AbortRun",
            "CreateRun",
            "GetActionData",
            "GetActionDataURIs",
            "GetActionDetails",
            "GetRunDetails",
            "ListActions",
            "ListRuns",
            "SignalEvent",
            "WatchActionDetails",
            "WatchActions",
            "WatchRunDetails",
            "WatchRuns",
        ),
    },
    "flyteidl2/workflow/translator_service.proto": {
        "TranslatorService": ("JsonValuesToLiterals", "LiteralsToLaunchFormJson"),
    },
}
"""What is called: proto file, service, methods. ``rpc.py`` has a row for each."""

HEADER = "// Derived by scripts/derive_protos.py, never edited; see protos/README.md.\n"
SCALARS = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}
# What says something about the contract itself. Any other option of descriptor.proto stops the script, so that none
# is lost unseen; extensions belong to other tools.
KEPT_OPTIONS = {"deprecated", "idempotency_level"}
DROPPED_FILE_OPTIONS = re.compile(r"(java|go|objc|csharp|php|ruby|swift|cc|py)_.*|optimize_for")


class NotDerivable(Exception):
    """The installed descriptors hold something that this script does not write, or lack an RPC."""


def pinned() -> str:
    """Return the release of flyteidl2 that ``protos/README.md`` names."""
    found = re.findall(r"^ {4}flyteidl2==(\S+)$", (PROTOS / "README.md").read_text(), re.MULTILINE)
    if len(found) != 1:
        raise NotDerivable(f"protos/README.md must name one release as 'flyteidl2==X', found {found}")
    return str(found[0])


def derive(absent: list[str] | None = None) -> dict[str, str]:
    """Return the text of every proto file that the RPCs need, by path.

    RPCs that the installed flyteidl2 lacks are added to ``absent``, or refused without it.
    """
    services: dict[str, list[ServiceDescriptor]] = {}
    todo: list[Descriptor | EnumDescriptor] = []
    missing: list[str] = []
    for path, wanted in RPCS.items():
        known = _services(path)
        for name, methods in wanted.items():
            service = known.get(name)
            for method in methods:
                if service is None or method not in service.methods_by_name:
                    missing.append(f"{path}: {name}/{method}")
                else:
                    row = service.methods_by_name[method]
                    todo += [row.input_type, row.output_type]
            if service is not None:
                services.setdefault(path, []).append(service)
    if missing and absent is None:
        raise NotDerivable("not in the installed flyteidl2: " + ", ".join(missing))
    if absent is not None:
        absent += missing

    reached: dict[str, Descriptor | EnumDescriptor] = {}
    while todo:
        top = _outermost(todo.pop())
        if top.full_name not in reached and not top.file.name.startswith("google/protobuf/"):
            reached[top.full_name] = top
            todo += _referred(top)

    files = {top.file.name: top.file for top in reached.values()}
    files |= {name: found[0].file for name, found in services.items()}
    foreign = sorted(name for name in files if not name.startswith(("flyteidl2/", "google/rpc/")))
    if foreign:
        raise NotDerivable(f"the generator does not know where to put {foreign}")
    return {name: _File(file, reached, services.get(name, [])).text() for name, file in sorted(files.items())}


def _services(path: str) -> Mapping[str, ServiceDescriptor]:
    module = path.removesuffix(".proto").replace("/", ".") + "_pb2"
    try:
        file: FileDescriptor = importlib.import_module(module).DESCRIPTOR
    except ModuleNotFoundError:
        return {}
    return file.services_by_name


def _outermost(item: Descriptor | EnumDescriptor) -> Descriptor | EnumDescriptor:
    while item.containing_type is not None:
        item = item.containing_type
    return item


def _referred(item: Descriptor | EnumDescriptor) -> Iterator[Descriptor | EnumDescriptor]:
    if isinstance(item, EnumDescriptor):
        return
    for field in item.fields:
        target = field.message_type or field.enum_type
        if target is not None:
            yield target
    for nested in item.nested_types:
        yield from _referred(nested)


class _File:
    """Writes one proto file."""

    def __init__(
        self,
        file: FileDescriptor,
        reached: dict[str, Descriptor | EnumDescriptor],
        services: list[ServiceDescriptor],
    ) -> None:
        self._proto = FileDescriptorProto()
        file.CopyToProto(self._proto)
        self._reached = reached
        self._services = services
        self._imports: set[str] = set()
        self._homes = {}
        for dependency in _closure(file):
            for name in (*dependency.message_types_by_name, *dependency.enum_types_by_name):
                self._homes[f".{dependency.package}.{name}"] = dependency

    def text(self) -> str:
        if self._proto.syntax != "proto3":
            raise NotDerivable(f"{self._proto.name}: not proto3")
        _kept(self._proto.options, self._proto.name, DROPPED_FILE_OPTIONS)
        package = self._proto.package
        blocks = [self._service(service) for service in self._services]
        blocks += [
            self._message(message, f".{package}.{message.name}", "")
            for message in self._proto.message_type
            if f"{package}.{message.name}" in self._reached
        ]
        blocks += [
            self._enum(enum, f".{package}.{enum.name}", "")
            for enum in self._proto.enum_type
            if f"{package}.{enum.name}" in self._reached
        ]
        imports = "".join(f'import "{name}";\n' for name in sorted(self._imports))
        head = [HEADER.rstrip(), 'syntax = "proto3";', f"package {package};", imports.rstrip()]
        return "\n\n".join([*filter(None, head), *(block.rstrip() for block in blocks)]) + "\n"

    def _service(self, service: ServiceDescriptor) -> str:
        proto = ServiceDescriptorProto()
        service.CopyToProto(proto)
        _kept(proto.options, service.full_name)
        wanted = RPCS[self._proto.name][service.name]
        lines = [f"service {proto.name} {{"]
        for method in proto.method:
            if method.name not in wanted:
                continue
            scope = f".{service.full_name}"
            given = ("stream " if method.client_streaming else "") + self._type(method.input_type, scope)
            answer = ("stream " if method.server_streaming else "") + self._type(method.output_type, scope)
            options = _kept(method.options, f"{service.full_name}.{method.name}")
            end = ";" if not options else " {\n" + "".join(f"    option {o};\n" for o in options) + "  }"
            lines.append(f"  rpc {method.name}({given}) returns ({answer}){end}")
        return "\n".join([*lines, "}"])

    def _message(self, message: DescriptorProto, name: str, indent: str) -> str:
        if message.extension_range or message.extension:
            raise NotDerivable(f"{name}: extensions")
        inner = indent + "  "
        maps = {f"{name}.{nested.name}": nested for nested in message.nested_type if nested.options.map_entry}
        lines = [f"{inner}option {option};" for option in _kept(message.options, name, re.compile("map_entry"))]
        numbers = [_range(r.start, r.end - 1, 2**29 - 1) for r in message.reserved_range]
        lines += _reserved(numbers, message.reserved_name, inner)
        for nested in message.nested_type:
            if not nested.options.map_entry:
                lines.append(self._message(nested, f"{name}.{nested.name}", inner))
        for enum in message.enum_type:
            lines.append(self._enum(enum, f"{name}.{enum.name}", inner))
        open_oneof: int | None = None
        for field in message.field:
            oneof = field.oneof_index if field.HasField("oneof_index") and not field.proto3_optional else None
            if oneof != open_oneof:
                if open_oneof is not None:
                    lines.append(f"{inner}}}")
                if oneof is not None:
                    _kept(message.oneof_decl[oneof].options, f"{name}.{message.oneof_decl[oneof].name}")
                    lines.append(f"{inner}oneof {message.oneof_decl[oneof].name} {{")
                open_oneof = oneof
            lines.append((inner if oneof is None else inner + "  ") + self._field(field, name, maps))
        if open_oneof is not None:
            lines.append(f"{inner}}}")
        return _braced(f"{indent}message {message.name}", lines, indent)

    def _field(self, field: FieldDescriptorProto, scope: str, maps: dict[str, DescriptorProto]) -> str:
        if field.type == FieldDescriptorProto.TYPE_GROUP or field.label == FieldDescriptorProto.LABEL_REQUIRED:
            raise NotDerivable(f"{scope}.{field.name}: not a proto3 field")
        if field.type_name in maps:
            key, value = maps[field.type_name].field
            kind = f"map<{SCALARS[key.type]}, {self._value(value, scope)}>"
        else:
            kind = self._value(field, scope)
            if field.label == FieldDescriptorProto.LABEL_REPEATED:
                kind = "repeated " + kind
            elif field.proto3_optional:
                kind = "optional " + kind
        options = _kept(field.options, f"{scope}.{field.name}")
        if field.json_name and field.json_name != _json_name(field.name):
            options.append(f'json_name = "{field.json_name}"')
        suffix = f" [{', '.join(options)}]" if options else ""
        return f"{kind} {field.name} = {field.number}{suffix};"

    def _value(self, field: FieldDescriptorProto, scope: str) -> str:
        return self._type(field.type_name, scope) if field.type_name else SCALARS[field.type]

    def _enum(self, enum: EnumDescriptorProto, name: str, indent: str) -> str:
        inner = indent + "  "
        lines = [f"{inner}option {option};" for option in _kept(enum.options, name)]
        numbers = [_range(r.start, r.end, 2**31 - 1) for r in enum.reserved_range]
        lines += _reserved(numbers, enum.reserved_name, inner)
        for value in enum.value:
            options = _kept(value.options, f"{name}.{value.name}")
            suffix = f" [{', '.join(options)}]" if options else ""
            lines.append(f"{inner}{value.name} = {value.number}{suffix};")
        return _braced(f"{indent}enum {enum.name}", lines, indent)

    def _type(self, full_name: str, scope: str) -> str:
        """Return the name of a type as it is written in ``scope``, relative to the tree.

        Flyte's own types are never written with ``flyteidl2``: the generator moves the packages and changes no type.
        """
        parts = full_name.split(".")
        home = next(home for cut in range(len(parts), 1, -1) if (home := self._homes.get(".".join(parts[:cut]))))
        if home.name != self._proto.name:
            self._imports.add(home.name)
        for known in (scope, f".{self._proto.package}", ".flyteidl2", ""):
            if full_name.startswith(known + "."):
                return full_name[len(known) + 1 :]
        raise AssertionError(full_name)


def _closure(file: FileDescriptor) -> Iterator[FileDescriptor]:
    yield file
    for dependency in file.dependencies:
        yield dependency
        for public in dependency.public_dependencies:
            yield from _closure(public)


def _kept(options: Message, owner: str, dropped: re.Pattern[str] | None = None) -> list[str]:
    kept = []
    for field, value in options.ListFields():
        if field.is_extension or (dropped is not None and dropped.fullmatch(field.name)):
            continue
        if field.name not in KEPT_OPTIONS:
            raise NotDerivable(f"{owner}: option {field.name}")
        kept.append(f"{field.name} = {_option_value(field.name, value)}")
    return kept


def _option_value(name: str, value: Any) -> str:
    return MethodOptions.IdempotencyLevel.Name(value) if name == "idempotency_level" else str(value).lower()


def _range(first: int, last: int, greatest: int) -> str:
    if first == last:
        return str(first)
    return f"{first} to {'max' if last == greatest else last}"


def _reserved(numbers: list[str], names: Any, indent: str) -> list[str]:
    lines = [f"{indent}reserved {', '.join(numbers)};"] if numbers else []
    if names:
        quoted = [f'"{name}"' for name in names]
        lines.append(f"{indent}reserved {', '.join(quoted)};")
    return lines


def _braced(head: str, lines: list[str], indent: str) -> str:
    return "\n".join([f"{head} {{", *lines, f"{indent}}}"]) if lines else f"{head} {{}}"


def _json_name(name: str) -> str:
    """Return the JSON name that protoc gives a field by itself."""
    return re.sub(r"_+(.?)", lambda match: match[1].upper(), name)


def on_disk() -> dict[str, str]:
    """Return the proto files as they are checked in."""
    return {path.relative_to(PROTOS).as_posix(): path.read_text() for path in sorted(PROTOS.rglob("*.proto"))}


def drift(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the lines of a unified diff between two sets of proto files."""
    lines: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        lines += difflib.unified_diff(old, new, f"protos/{name}", f"installed/{name}", lineterm="", n=2)
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or list what would change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--drift",
        action="store_true",
        help="list what differs with the installed flyteidl2, whatever its release; write nothing and do not fail",
    )
    options = parser.parse_args(arguments)
    installed = importlib.metadata.version("flyteidl2")

    if options.drift:
        print(f"protos/ is derived from flyteidl2 {pinned()}, installed is {installed}")
        absent: list[str] = []
        try:
            lines = drift(on_disk(), derive(absent))
        except NotDerivable as error:
            lines = [f"cannot be derived: {error}"]
        lines = [f"gone: {rpc}" for rpc in absent] + lines
        print("\n".join(lines) if lines else "no difference")
        return 0

    if installed != pinned():
        print(
            f"flyteidl2 {installed} is installed and protos/README.md names {pinned()}: "
            f"install flyteidl2=={pinned()}, or see --drift",
            file=sys.stderr,
        )
        return 1
    try:
        derived = derive()
    except NotDerivable as error:
        print(error, file=sys.stderr)
        return 1
    for stale in on_disk().keys() - derived.keys():
        (PROTOS / stale).unlink()
    for name, text in derived.items():
        path = PROTOS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"{len(derived)} files, {sum(text.count(chr(10)) for text in derived.values())} lines in {PROTOS.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
