"""The table of methods says what Flyte's service descriptors say."""

from __future__ import annotations

from typing import Any

import derive_protos
import pytest
from google.protobuf import descriptor_pool

from airflow_provider_flyte.client import rpc
from tests.protos import wire_check


@pytest.mark.parametrize("row", rpc.METHODS, ids=lambda row: row.name)
def test_row(row: rpc.Method[Any, Any]) -> None:
    service, _, method = row.path.removeprefix("/").partition("/")
    theirs = descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]
    assert row.path == f"/{theirs.containing_service.full_name}/{theirs.name}"
    assert wire_check.flyte_name(row.request.DESCRIPTOR.full_name) == theirs.input_type.full_name
    assert wire_check.flyte_name(row.response.DESCRIPTOR.full_name) == theirs.output_type.full_name
    assert not theirs.client_streaming
    assert type(row) is (rpc.ServerStream if theirs.server_streaming else rpc.Unary)


@pytest.mark.parametrize("service", rpc.SERVICES, ids=lambda service: service.__name__)
def test_attributes_are_named_as_the_methods(service: type) -> None:
    rows = {name: row for name, row in vars(service).items() if isinstance(row, rpc.Method)}
    assert rows
    assert {name: row.name for name, row in rows.items()} == {name: f"{service.__name__}/{name}" for name in rows}


def test_no_path_twice() -> None:
    paths = [row.path for row in rpc.METHODS]
    assert len(set(paths)) == len(paths)


def test_the_protos_are_derived_for_these_methods() -> None:
    derived = [
        f"/{file.rpartition('/')[0].replace('/', '.')}.{service}/{method}"
        for file, services in derive_protos.RPCS.items()
        for service, methods in services.items()
        for method in methods
    ]
    assert sorted(derived) == sorted(row.path for row in rpc.METHODS)
