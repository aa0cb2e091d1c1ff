"""What of a run reaches XCom."""

from __future__ import annotations

import base64
import json
import logging
import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_flyte.client import restored
from airflow_provider_flyte.client.idl.core import literals_pb2, types_pb2
from airflow_provider_flyte.client.idl.workflow.run_definition_pb2 import RunDetails as Message
from airflow_provider_flyte.client.literals.reader import value_of
from airflow_provider_flyte.client.literals.values import Unfit
from airflow_provider_flyte.client.literals.writer import literal_of
from airflow_provider_flyte.client.outside import storable
from airflow_provider_flyte.client.run_details import RunDetails
from airflow_provider_flyte.report.xcom import MOST, push_outputs, without_the_largest, xcom_value
from tests.support.driving import TaskInstance
from tests.support.xcoms import through_xcom

SECRET = "correct-horse-battery"


def details(**fields: Any) -> RunDetails:
    return RunDetails(ParseDict(fields, Message()))


def test_the_values_of_environment_variables_are_taken_out_everywhere() -> None:
    variables = [{"key": "PASSWORD", "value": SECRET}]
    pod = {
        group: [
            {"name": "main", "env": [{"name": "PASSWORD", "value": SECRET}, {"name": "B", "valueFrom": {"x": "y"}}]}
        ]
        for group in ("containers", "initContainers")
    }
    made = details(
        runSpec={"envs": {"values": variables}},
        action={"task": {"taskTemplate": {"container": {"env": variables}}}},
    )
    value = xcom_value(made, redact_env=True)
    assert SECRET not in json.dumps(value)
    assert value["runSpec"]["envs"]["values"] == [{"key": "PASSWORD", "value": "***"}]
    in_pod = details(action={"task": {"taskTemplate": {"k8sPod": {"podSpec": pod}}}})
    value = xcom_value(in_pod, redact_env=True)
    assert SECRET not in json.dumps(value)
    env = value["action"]["task"]["taskTemplate"]["k8sPod"]["podSpec"]["containers"][0]["env"]
    assert env == [{"name": "PASSWORD", "value": "***"}, {"name": "B", "valueFrom": {"x": "y"}}]


@pytest.mark.parametrize(
    "template",
    [
        {"custom": {"sidecars": [{"name": "proxy", "env": [{"name": "PASSWORD", "value": SECRET}]}]}},
        {"custom": {"driverPod": {"podSpec": {"containers": [{"env": [{"name": "PASSWORD", "value": SECRET}]}]}}}},
        {"custom": {"sparkConf": {"spark.executorEnv.PASSWORD": SECRET, "spark.yarn.appMasterEnv.PASSWORD": SECRET}}},
        {"custom": {"runtimeEnvYaml": f"env_vars: {{PASSWORD: {SECRET}}}"}},
        {"custom": {"runtime_env": {"env_vars": {"PASSWORD": SECRET, "name": SECRET}}}},
        {"custom": {"envVars": {"PASSWORD": SECRET}, "environment": [f"PASSWORD={SECRET}"]}},
        {"config": {"env.PASSWORD": SECRET, "env": f"PASSWORD={SECRET}"}},
        {"k8sPod": {"podSpec": {"ephemeralContainers": [{"env": [{"name": "PASSWORD", "value": SECRET}]}]}}},
    ],
)
def test_they_are_taken_out_of_what_plugins_are_given(template: dict[str, Any]) -> None:
    value = json.dumps(xcom_value(details(action={"task": {"taskTemplate": template}}), redact_env=True))
    assert SECRET not in value
    assert "***" in value


def test_what_only_looks_like_one_stays() -> None:
    template = {
        "k8sPod": {"metadata": {"labels": {"env": "prod"}, "annotations": {"env": "prod"}}},
        "interface": {"inputs": {"variables": [{"key": "env", "value": {"type": {"simple": "STRING"}}}]}},
        "custom": {"envelope": "a", "seven": "b", "sparkConf": {"spark.driver.memory": "1g"}},
        "config": {"primary_container_name": "main"},
    }
    made = details(
        runSpec={"labels": {"values": {"env": "prod"}}},
        action={"task": {"environment": {"name": "demo"}, "taskTemplate": template}},
    )
    assert xcom_value(made, redact_env=True) == made.to_dict()


def test_the_author_can_have_them() -> None:
    made = details(runSpec={"envs": {"values": [{"key": "PASSWORD", "value": SECRET}]}})
    assert xcom_value(made, redact_env=False) == made.to_dict()


def test_who_calls_a_webhook_is_hidden() -> None:
    webhook = {"url": f"https://example.com/{SECRET}", "method": "HTTP_METHOD_POST", "headers": {"X-Key": SECRET}}
    email = {"onPhases": ["ACTION_PHASE_FAILED"], "deliveryTemplate": {"email": {"to": [{"address": "a@b"}]}}}
    rules = [{"onPhases": ["ACTION_PHASE_FAILED"], "deliveryTemplate": {"webhook": webhook}}, email]
    made = details(runSpec={"notificationRules": {"rules": rules}})
    hidden, other = xcom_value(made, redact_env=True)["runSpec"]["notificationRules"]["rules"]
    assert hidden["deliveryTemplate"]["webhook"] == {**webhook, "url": "***", "headers": "***"}
    assert other == email
    assert xcom_value(made, redact_env=False) == made.to_dict()


def test_what_has_no_environment_is_left_alone() -> None:
    made = details(action={"status": {"phase": "ACTION_PHASE_SUCCEEDED"}})
    assert xcom_value(made, redact_env=True) == made.to_dict()


def test_the_recorded_password_is_gone_from_every_recorded_run() -> None:
    expected = json.loads((Path(__file__).parents[1] / "recordings" / "expected.json").read_text())
    texts = json.dumps(expected)
    assert SECRET in texts
    runs = [run["to_dict"] for run in expected.values()] if isinstance(expected, dict) else expected
    for run in runs:
        assert SECRET not in json.dumps(xcom_value(details(**run), redact_env=True))


def test_nul_is_stripped() -> None:
    """PostgreSQL's JSONB refuses it."""
    made = details(action={"errorInfo": {"message": "no\0 rows"}})
    assert xcom_value(made, redact_env=True)["action"]["errorInfo"]["message"] == "no rows"


# -- outputs: what is written here, the inputs of another run read as the same value

RECORDED = json.loads((Path(__file__).parents[1] / "recordings" / "literals.json").read_text())
PICKLED = {"bytes", "any"}
ANY = st.text(st.characters(exclude_categories=[]), max_size=20)
"""All text, lone surrogates included."""

STRUCT = types_pb2.LiteralType(simple=types_pb2.STRUCT)


def pushed(
    outputs: dict[str, Any], ti: TaskInstance | None = None, declared: Iterable[str] | None = None
) -> dict[str, Any]:
    """What XCom has of them.

    :param declared: the outputs that the task's interface has; by default all of these.
    """
    ti = ti or TaskInstance()
    variables = [{"key": name} for name in (outputs if declared is None else declared)]
    task = {"taskTemplate": {"interface": {"outputs": {"variables": variables}}}}
    run = {"run": {"project": "p", "domain": "d", "name": "r1"}, "name": "a0"}
    attempts = [{"attempt": 1, "outputs": {"outputUri": "s3://bucket/r1/outputs.pb"}}]
    push_outputs(
        ti, details(action={"id": run, "attempts": attempts, "task": task}), outputs, logging.getLogger("task")
    )
    return ti.xcoms


def packed(value: Any) -> literals_pb2.Literal:
    """An untyped dict, as the SDK sends it."""
    binary = literals_pb2.Binary(value=msgspec.msgpack.encode(value), tag="msgpack")
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary))


def as_it_is(literal: literals_pb2.Literal, kind: types_pb2.LiteralType) -> Any:
    return literal, kind


def in_a_list(literal: literals_pb2.Literal, kind: types_pb2.LiteralType) -> Any:
    made = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=[literal, literal]))
    return made, types_pb2.LiteralType(collection_type=kind)


def in_a_dict(literal: literals_pb2.Literal, kind: types_pb2.LiteralType) -> Any:
    made = literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"a": literal}))
    return made, types_pb2.LiteralType(map_value_type=kind)


def in_a_union(literal: literals_pb2.Literal, kind: types_pb2.LiteralType) -> Any:
    """Of two kinds, the other of which is a dict, which takes nearly everything that XCom holds."""
    if kind.WhichOneof("type") in ("union_type", "map_value_type") or kind.simple in (types_pb2.STRUCT, types_pb2.NONE):
        return literal, kind
    made = literals_pb2.Literal(scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=literal, type=kind)))
    return made, types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[STRUCT, kind]))


@pytest.mark.parametrize("within", [as_it_is, in_a_list, in_a_dict, in_a_union])
@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_every_recorded_output_can_be_the_next_runs_input(case: dict[str, Any], within: Any) -> None:
    literal, kind = within(
        literals_pb2.Literal.FromString(base64.b64decode(case["literal"])),
        types_pb2.LiteralType.FromString(base64.b64decode(case["literal_type"])),
    )
    value = pushed({"o0": value_of(literal)})["o0"]
    if case["name"] in PICKLED:
        with pytest.raises(Unfit):
            literal_of(value, kind)
    else:
        assert literal_of(value, kind).SerializeToString(deterministic=True) == literal.SerializeToString(
            deterministic=True
        )


FLOATS = [math.nan, math.inf, -math.inf, 1e16, -1e23, 1.7976931348623157e308, 9007199254740993.0, 5e-324, 0.1]


@pytest.mark.parametrize("value", FLOATS)
def test_a_float_stays_the_same_wherever_it_stands(value: float) -> None:
    dataclass = next(case for case in RECORDED if case["name"] == "dataclass")
    point = types_pb2.LiteralType.FromString(base64.b64decode(dataclass["literal_type"]))
    for kind, held in ((point, {"x": 1, "y": value, "tags": []}), (STRUCT, {"a": [value, {"b": value}]})):
        literal = packed(held)
        assert literal_of(pushed({"o0": value_of(literal)})["o0"], kind) == literal


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats().filter(lambda number: number != 0),
    TEXTS,
    st.binary(),
    st.datetimes(timezones=st.just(timezone.utc)).map(lambda moment: moment.replace(fold=0)),
    st.timedeltas(),
)
VALUES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)), max_leaves=8)


@given(VALUES)
@example(datetime.max.replace(tzinfo=timezone.utc))
@example(datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=timezone.utc))
@example(timedelta(days=3652500, microseconds=1))
@example([2.0**53, 9999999999999998.0, 1e16, -math.inf])
@example({"a": b"\x00\xff"})
def test_any_value_comes_back(value: Any) -> None:
    """The type too: True is no 1, and 2.0 no 2. repr() knows NaN, and the zones of a time by its own text."""
    assert repr(_in_utc(restored(pushed({"o0": value})["o0"]))) == repr(value)


def _in_utc(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc)
    if isinstance(value, dict):
        return {key: _in_utc(item) for key, item in value.items()}
    return [_in_utc(item) for item in value] if isinstance(value, list) else value


def test_what_stands_for_itself_is_left_alone() -> None:
    values = [1, 0.5, -0.0, True, None, "NaN", {"type": "float"}, {"type": "float", "value": 1.5}]
    values += [{"type": "float", "value": "0.5"}, {"type": "str", "value": "NaN"}, {"type": "float", "value": "soon"}]
    times = [datetime(2026, 11, 23, 12, 30, 1, 123456, tzinfo=timezone.utc), timedelta(days=1, microseconds=5)]
    assert pushed({"o0": values, "o1": times})["o0"] == values
    assert pushed({"o1": times})["o1"] == times


RESERVED: list[Any] = [
    {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1]},
    {"__classname__": "x"},
    {"__id__": 7},
    {"__type": "dict", "__var": {"a": 1}},
    {"__type": "set", "__var": [1]},
    {"type": "float", "value": "NaN"},
    {1: "a", "1": "b"},
]


@pytest.mark.parametrize("value", [*RESERVED, *({"a": [value]} for value in RESERVED)])
def test_what_airflow_would_make_something_else_of_is_described(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    xcoms = pushed({"o0": value, "o1": 7})
    assert xcoms["o1"] == 7
    assert (xcoms["o0"]["type"], xcoms["o0"]["uri"]) == ("not_in_xcom", "s3://bucket/r1/outputs.pb")
    assert xcoms["outputs"] == {"o0": xcoms["o0"], "o1": 7}
    assert xcoms["o0"]["reason"] in caplog.text
    assert "Output 'o0' of Flyte run r1 cannot be stored in XCom" in caplog.text


def test_so_is_what_is_nested_beyond_all_bounds() -> None:
    endless: list[Any] = []
    for _ in range(100_000):
        endless = [endless]
    assert pushed({"o0": endless})["o0"]["type"] == "not_in_xcom"


def test_details_are_stored_without_what_airflow_reserves() -> None:
    """A field of a model may be called so; the schema of a task's types then has it as a key."""
    custom = {"properties": {"__id__": {"type": "integer"}}, "other": {"limit": 1e300, "text": "a\0b"}}
    stored = through_xcom(xcom_value(details(action={"task": {"taskTemplate": {"custom": custom}}}), redact_env=True))[
        "action"
    ]["task"]["taskTemplate"]["custom"]
    assert stored["properties"]["type"] == "not_in_xcom"
    assert stored["other"] == {"limit": {"type": "float", "value": "1e+300"}, "text": "ab"}


class Backend(TaskInstance):
    """A task instance whose XCom backend refuses some keys, some values, or everything."""

    refused_keys: tuple[str, ...] = ()
    refused: Any = None

    def xcom_push(self, key: str, value: Any) -> None:
        if key in self.refused_keys or value == self.refused or value == {"o0": self.refused}:
            raise ConnectionError("the bucket is gone\0" + "x" * 1000)
        super().xcom_push(key, value)


def test_a_backend_that_refuses_a_value_or_a_key() -> None:
    ti = Backend()
    ti.refused = 7
    xcoms = pushed({"o0": 7}, ti)
    assert xcoms["o0"]["reason"].startswith("ConnectionError: the bucket is gone\N{REPLACEMENT CHARACTER}x")
    assert len(xcoms["o0"]["reason"]) == 300
    assert xcoms["outputs"] == {"o0": xcoms["o0"]}
    ti = Backend()
    ti.refused_keys = ("a-b",)
    assert pushed({"a-b": 7}, ti) == {"outputs": {"a-b": 7}}
    ti.refused_keys = ("outputs",)
    with pytest.raises(ConnectionError):
        pushed({"o0": 7}, ti)


def test_outputs_with_the_names_of_keys_that_are_taken() -> None:
    taken = (
        "run_name",
        "run_url",
        "outputs",
        "return_value",
        "skipmixin_key",
        "_link_FlyteRunLink",
        "_flyte_settled",
        "_flyte_runs",
    )
    outputs = dict.fromkeys(taken, 1) | {"o0": 5}
    assert pushed(outputs) == {"outputs": outputs, "o0": 5}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../other_task/return_value",
        "a/b",
        "a\\b",
        "a b",
        "a%2fb",
        "a?b",
        ".hidden",
        "_private",
        "é",
        "a\n",
        "a" * 201,
    ],
)
def test_an_output_whose_name_is_no_key(name: str) -> None:
    """Airflow puts keys into paths: of its API, and XCom backends into those of files."""
    assert pushed({name: 1, "o0": 2}) == {"outputs": {name: 1, "o0": 2}, "o0": 2}


@pytest.mark.parametrize("name", ["o0", "0", "a.b-c_D", "a" * 200])
def test_an_output_whose_name_is_a_key(name: str) -> None:
    assert pushed({name: 1}) == {"outputs": {name: 1}, name: 1}


def test_an_output_that_the_task_does_not_declare(caplog: pytest.LogCaptureFixture) -> None:
    assert pushed({"o0": 1, "other\x1b": 2}, declared=["o0", "o1"]) == {"outputs": {"o0": 1, "other\x1b": 2}, "o0": 1}
    [line] = caplog.messages
    assert line.startswith(
        "Outputs of Flyte run r1 have no XCom key of their own, they are under 'outputs' alone: 'other\\x1b'. A key"
    )


def test_more_outputs_than_may_have_a_key(caplog: pytest.LogCaptureFixture) -> None:
    """Each key is a row of Airflow's database, and a run may have thousands of outputs."""
    outputs = {f"o{number}": number for number in range(300)}
    xcoms = pushed(outputs)
    assert list(xcoms) == [*[f"o{number}" for number in range(100)], "outputs"]
    assert xcoms["outputs"] == outputs
    [line] = caplog.messages
    assert "alone: 'o100', 'o101'" in line
    assert line.endswith("and there are at most 100.")


@pytest.mark.parametrize("others", [{"o0\0": 2}, {"\0o0": 2}])
def test_an_output_takes_no_key_of_another_s(others: dict[str, int]) -> None:
    assert pushed({"o0": 1, **others}, declared=["o0"])["o0"] == 1


@pytest.mark.parametrize("names", [["__classname__"], ["__id__"], ["__type", "__var"]])
def test_outputs_whose_names_airflow_keeps_for_itself_are_described(names: list[str]) -> None:
    """All together they are a dict, of which it would make something else."""
    xcoms = pushed({"o0": 1, **dict.fromkeys(names, "x")})
    assert xcoms["o0"] == 1
    assert xcoms["outputs"]["type"] == "not_in_xcom"
    assert " and ".join(names) in xcoms["outputs"]["reason"]


@given(st.dictionaries(ANY, ANY, max_size=5))
def test_any_text_can_be_stored_and_only_names_are_keys(outputs: dict[str, str]) -> None:
    declared = [name for name in outputs if storable(name) == name]
    for key, value in pushed(outputs, declared=declared).items():
        json.dumps(value, ensure_ascii=False).encode()
        assert key == "outputs" or re.fullmatch("[A-Za-z0-9][A-Za-z0-9_.-]*", key)


# -- sizes


@pytest.mark.parametrize(("runs", "most"), [(3, MOST), (40, 25_000), (5_000, 4_000)])
def test_several_runs_share_a_bound(runs: int, most: int) -> None:
    notes = {f"a{number}": "x" * 1000 for number in range(90)}
    made = details(run_spec={"annotations": {"values": notes}}, action={"status": {"phase": "ACTION_PHASE_SUCCEEDED"}})
    value = xcom_value(made, redact_env=True, runs=runs)
    assert len(json.dumps(value)) <= most
    assert value["action"]["status"]["phase"] == "ACTION_PHASE_SUCCEEDED"


def test_details_are_bounded_and_say_what_they_lack() -> None:
    """A task's template or its attempts may be of any size; why the run failed stays."""
    made = details(
        action={
            "task": {"taskTemplate": {"type": "python", "custom": {"much": "x" * 1_000_000, "little": "y"}}},
            "errorInfo": {"message": "no rows"},
            "attempts": [{"attempt": number} for number in range(20_000)],
        }
    )
    value = xcom_value(made, redact_env=True)
    assert len(json.dumps(value)) <= MOST
    action = value["action"]
    assert action["errorInfo"]["message"] == "no rows"
    assert action["task"]["taskTemplate"]["type"] == "python"
    assert action["task"]["taskTemplate"]["custom"] == {"much": {"type": "too_large", "size": 1_000_002}, "little": "y"}
    assert (action["attempts"]["type"], action["attempts"]["size"] > MOST) == ("too_large", True)


@given(st.recursive(st.text(max_size=99), lambda part: st.dictionaries(st.text(max_size=20), part), max_leaves=300))
def test_any_details_are_bounded(value: Any) -> None:
    fitted = without_the_largest(value, 2000)
    size = len(json.dumps(value))
    assert len(json.dumps(fitted)) <= 2000
    assert fitted == value or size > 2000
