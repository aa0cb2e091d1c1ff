"""``@task.flyte``: a function returns the inputs of a Flyte run."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.models.renderedtifields import RenderedTaskInstanceFields

from airflow_provider_flyte import decorators
from airflow_provider_flyte.client.literals.reader import value_of
from airflow_provider_flyte.compat import AirflowSkipException, TaskDeferred
from airflow_provider_flyte.decorators import flyte_task, task
from airflow_provider_flyte.exceptions import FlyteArgumentError, FlyteRunFailed, FlyteTaskKilled
from airflow_provider_flyte.operators import FlyteRunOperator
from airflow_provider_flyte.testing import LocalFlyte, unavailable
from tests.support.driving import DagRun, Driven, TaskInstance, event_of, kwargs_of
from tests.support.own_airflow import AIRFLOW, load_dag_file, stored_again

pytestmark = pytest.mark.one_transport("connect")

PACKAGE = Path(decorators.__file__).parent
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)

Make = Callable[..., Driven]


@pytest.fixture
def flyte(flyte_default: LocalFlyte) -> LocalFlyte:
    flyte_default.deploy("demo.train", inputs={"rows": int, "day": (datetime, NOON), "text": (str, "")})
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds())
    return flyte_default


@pytest.fixture(params=[False, True], ids=["worker", "deferred"])
def driven(request: pytest.FixtureRequest, flyte: LocalFlyte) -> Make:
    """Makes one try of a decorated function."""
    made = DagRun()

    def make(function: Callable[..., Any], *op_args: Any, number: int = 1, **arguments: Any) -> Driven:
        op_kwargs = arguments.pop("op_kwargs", {})
        fast: dict[str, Any] = {"poll_interval": 0.1, "resume_after": 0, "deferrable": request.param}
        fast |= {"unreachable_after": 1.0, "launch_unreachable_after": 1.0}
        decorated = flyte_task("demo.train", **fast | arguments)(function)
        return Driven(operator_of(decorated(*op_args, **op_kwargs)), TaskInstance(number, 3), made)

    return make


def operator_of(xcom: Any) -> Any:
    return xcom.operator


def launched(flyte: LocalFlyte) -> list[dict[str, Any]]:
    return [{name: value_of(value) for name, value in run.inputs.items()} for run in flyte.runs()]


class Counted:
    """A function that returns the inputs, and counts how often it ran."""

    def __init__(self, **more: Any) -> None:
        self.ran = 0
        self._more = more

    def __call__(self, rows: int) -> dict[str, Any]:
        self.ran += 1
        return {"rows": rows + self.ran - 1, **self._more}


def function_of(counted: Counted) -> Callable[[int], dict[str, Any]]:
    def fit(rows: int) -> dict[str, Any]:
        return counted(rows)

    return fit


def test_airflow_finds_it_by_the_providers_name() -> None:
    assert task.flyte is flyte_task


# -- the function, and what it returns


def test_it_runs_once_a_try(flyte: LocalFlyte, driven: Make) -> None:
    flyte.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).fails())
    counted = Counted()
    with pytest.raises(FlyteRunFailed):
        driven(function_of(counted), 3).run()
    assert counted.ran == 1
    flyte.on_launch(lambda run: run.succeeds())
    driven(function_of(counted), 3, number=2).run()
    assert counted.ran == 2
    assert [each["rows"] for each in launched(flyte)] == [3, 4]


@pytest.mark.parametrize("lost", [False, True], ids=["kept by Airflow", "lost by Airflow"])
@pytest.mark.parametrize("method", ["ListRuns", "CreateRun"])
@pytest.mark.parametrize("driven", [True], ids=["deferred"], indirect=True)
def test_a_launch_that_waits_for_flyte_has_what_was_returned(
    flyte: LocalFlyte, driven: Make, monkeypatch: pytest.MonkeyPatch, method: str, lost: bool
) -> None:
    monkeypatch.setattr("airflow_provider_flyte.launch.launching.BRIEFLY", 0.2)
    flyte.inject(method, unavailable("no route"))
    counted = Counted(day=NOON.astimezone(timezone(timedelta(hours=5))), text="{{ ds }}")
    one = driven(function_of(counted), 3, unreachable_after=60)
    with pytest.raises(TaskDeferred) as deferred:
        one.task.execute(one.context)
    assert kwargs_of(deferred.value)["launched"] is False
    flyte.clear_faults()
    if lost:
        deferred.value.kwargs = {}
    # Another process has it from then on.
    again = driven(function_of(counted), 3, unreachable_after=60)
    again.ti, again.context = one.ti, one.context
    again.go_on(deferred.value)
    assert counted.ran == 1
    assert launched(flyte) == [{"rows": 3, "day": NOON, "text": "{{ ds }}"}]


def test_a_try_that_airflow_resumes_with_anothers_runs_it(flyte: LocalFlyte, driven: Make) -> None:
    """Airflow 3.0 hands a retry what the try before had deferred with."""
    counted = Counted()
    one = driven(function_of(counted), 3)
    one.task.deferrable = True
    with pytest.raises(TaskDeferred) as deferred:
        one.task.execute(one.context)
    event = event_of(deferred.value.trigger)
    flyte.runs()[0].fails()
    retry = driven(function_of(counted), 3, number=2, deferrable=False)
    retry.resume(event, **(deferred.value.kwargs or {}))
    assert counted.ran == 2


def test_it_gets_what_it_names_of_the_context(flyte: LocalFlyte, driven: Make) -> None:
    def fit(rows: int, *more: int, loop: int, logical_date: Any = None, **context: Any) -> dict[str, Any]:
        return {"rows": rows + sum(more) + loop, "day": logical_date, "text": str(context["ti"].try_number)}

    one = driven(fit, 1, 2, op_kwargs={"loop": 3})
    one.context["logical_date"] = NOON
    one.run()
    assert launched(flyte) == [{"rows": 6, "day": NOON, "text": "1"}]
    # Else it would be Airflow's: the place in a task loop.
    assert "loop" not in one.context


@pytest.mark.parametrize("returned", [None, {}])
def test_it_may_return_nothing(flyte: LocalFlyte, driven: Make, returned: Any) -> None:
    def fit() -> Any:
        return returned

    driven(fit, inputs={"rows": 8}).run()
    assert [each["rows"] for each in launched(flyte)] == [8]


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (["rows"], "The function of 'fit' returned a list. Return a dict of the run's inputs by their names, or None"),
        ({"rows": 1, "text": "x"}, "'text' is in inputs and in what the function of 'fit' returned. Give each input"),
        ({"rows": "1"}, "rows must be int: '1' (str) is not an int"),
        ({"rows": 1, "rate": 2}, "'rate' is no input of it"),
    ],
)
def test_what_does_not_fit_launches_nothing(flyte: LocalFlyte, driven: Make, returned: Any, words: str) -> None:
    def fit() -> Any:
        return returned

    with pytest.raises(FlyteArgumentError) as refused:
        driven(fit, inputs={"text": "given"}).run()
    assert words in str(refused.value)
    assert flyte.calls("CreateRun") == []


def test_what_it_raises_ends_the_try_before_flyte_is_asked(flyte: LocalFlyte, driven: Make) -> None:
    def fit() -> Any:
        raise AirflowSkipException("nothing to train on")

    with pytest.raises(AirflowSkipException):
        driven(fit).run()
    assert list(flyte.calls) == []


def test_a_task_that_is_stopped_while_it_runs_launches_nothing(flyte: LocalFlyte, driven: Make) -> None:
    def fit() -> dict[str, Any]:
        # As Airflow's signal handler does.
        one.task.on_kill()
        return {"rows": 1}

    one = driven(fit)
    with pytest.raises(FlyteTaskKilled, match="nothing is launched"):
        one.run()
    assert flyte.calls("CreateRun") == []


def test_its_type_is_not_the_tasks(flyte: LocalFlyte, driven: Make) -> None:
    """By ``-> dict`` Airflow would give each of the run's details an XCom key."""

    def fit() -> dict[str, Any]:
        return {"rows": 1}

    assert driven(fit).task.multiple_outputs is False
    assert driven(fit, multiple_outputs=True).task.multiple_outputs is True


def test_it_may_be_async_where_airflow_has_that(flyte: LocalFlyte, driven: Make) -> None:
    async def fit(rows: int) -> dict[str, Any]:
        return {"rows": rows}

    if AIRFLOW < (3, 2):
        with pytest.raises(FlyteArgumentError, match=r"from Airflow 3\.2 on"):
            driven(fit, 3)
        return
    driven(fit, 3).run()
    assert [each["rows"] for each in launched(flyte)] == [3]


# -- what is known when the DAG is read


def test_an_async_function_needs_an_airflow_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fit() -> dict[str, Any]:
        return {}

    monkeypatch.setattr("airflow.__version__", "3.1.8")
    with pytest.raises(FlyteArgumentError, match=r"'fit' is an async function.* from Airflow 3\.2 on"):
        flyte_task("demo.train")(fit)


def test_the_flyte_task_has_to_be_named() -> None:
    def fit() -> dict[str, Any]:
        return {}

    bare: Any = flyte_task
    for use in (lambda: bare(fit), bare):
        with pytest.raises(FlyteArgumentError, match=r'@task\.flyte\("train\.fit"\)'):
            use()


def test_a_wrong_argument_is_an_error_of_the_dag_file() -> None:
    def fit(rows: int) -> dict[str, Any]:
        return {"rows": rows}

    with pytest.raises(FlyteArgumentError, match="log_lines"):
        flyte_task("demo.train", log_lines=-1)(fit)(1)


SAMPLES: dict[str, Any] = {
    "bool": True,
    "bool | None": True,
    "str": "new",
    "str | None": "user",
    "str | date | None": date(2026, 11, 23),
    "int": 7,
    "int | None": 7,
    "Mapping[str, Any] | None": {"rows": 1},
    "Mapping[str, str] | None": {"a": "b"},
    "float | timedelta": timedelta(seconds=7),
    "float | timedelta | None": None,
    "Sequence[str]": (),
    "Sequence[Mapping[str, Any]]": (),
    "cache_lookup_scope": "global",
    "on_paused": "fail",
}
"""Of each type, and of an argument that takes few values."""


def arguments_of(file: str, class_: str, function: str) -> dict[str, str]:
    """The arguments of a method and their types, as the source has them."""
    [found] = [
        node
        for outer in ast.parse((PACKAGE / file).read_text()).body
        if isinstance(outer, ast.ClassDef) and outer.name == class_
        for node in outer.body
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    every = [*found.args.args[1:], *found.args.kwonlyargs]
    return {each.arg: ast.unparse(each.annotation) for each in every if each.annotation}


OF_THE_OPERATOR = arguments_of("operators.py", "FlyteRunOperator", "__init__")


def test_it_takes_all_arguments_of_the_operator() -> None:
    given = {name: SAMPLES.get(name, SAMPLES[kind]) for name, kind in OF_THE_OPERATOR.items() if name != "task_name"}
    assert OF_THE_OPERATOR.keys() <= inspect.signature(FlyteRunOperator).parameters.keys()

    def fit() -> dict[str, Any]:
        return {}

    given |= {"retries": 2, "pool": "gpu"}
    made = operator_of(flyte_task("demo.train", **given)(fit)())
    same = FlyteRunOperator(task_id="fit", task_name="demo.train", **given)
    for name in ("task_id", "task_name", *given):
        shown = [value.hidden if name == "env_vars" else value for value in (getattr(made, name), getattr(same, name))]
        assert shown[0] == shown[1], name
    assert set(made.template_fields) == {"op_args", "op_kwargs", *same.template_fields}


def test_an_editor_knows_them_too() -> None:
    known = arguments_of("flyte_task.pyi", "FlyteTask", "__call__")
    assert known == OF_THE_OPERATOR | {"multiple_outputs": "bool | None"}
    assert list(known) == [*OF_THE_OPERATOR, "multiple_outputs"]


def known_to_mypy() -> None:
    """Never called: mypy reads it, and notices where the stub knows nothing."""

    @task.flyte("train.fit", deferrable=True, retries=2, inputs={"rate": 0.5})
    def fit(rows: int) -> dict[str, Any]:
        return {"rows": rows}

    fit(3)
    fit("3")  # type: ignore[arg-type]
    fit.override(deferrable=False).expand(rows=[1, 2])

    @task.flyte("train.fit", deferrable="yes")  # type: ignore[arg-type]
    async def wrong_argument() -> dict[str, Any]:
        return {}

    @task.flyte("train.fit")  # type: ignore[type-var]
    def wrong_value() -> list[int]:
        return []

    @task
    def other() -> int:
        return 1


# -- in a DAG


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("airflow_db")
def test_in_a_dag(flyte: LocalFlyte) -> None:
    flyte.deploy("demo.train", inputs={"rows": int, "day": (datetime, NOON), "text": (str, "")}, outputs={"o0": int})
    flyte.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.2).succeeds({"o0": 100}))
    day = datetime(2026, 1, 1, tzinfo=timezone.utc)
    dag = load_dag_file("decorated").dag
    dag_run = dag.test(**{"logical_date" if AIRFLOW >= (3,) else "execution_date": day})
    assert {str(ti.state) for ti in dag_run.get_task_instances()} == {"success"}
    tasks = [run.run_spec.annotations.values["airflow.apache.org/task_id"] for run in flyte.runs()]
    got = [(task_id, *inputs.values()) for task_id, inputs in zip(tasks, launched(flyte), strict=True)]
    assert sorted(got) == [
        ("deferred", day, 3, "0.25 {{ ds }}"),
        ("group.grouped", NOON, 20, ""),
        ("group.grouped", NOON, 30, ""),
        ("mapped", NOON, 13, "2026-01-01"),
        ("mapped", NOON, 14, "2026-01-01"),
        ("overridden", NOON, 107, "2026-01-01"),
    ]
    if AIRFLOW >= (3,):
        rendered = {
            ti.map_index: RenderedTaskInstanceFields.get_templated_fields(ti)
            for ti in dag_run.get_task_instances()
            if ti.task_id == "mapped"
        }
        assert (rendered[1] or {})["inputs"] == {"text": "2026-01-01", "rows": 14}
        assert "horse" not in json.dumps(rendered)
    assert {ti.xcom_pull(task_ids="overridden", key="run_name") for ti in dag_run.get_task_instances()} == {None}


def test_the_stored_dag() -> None:
    dag = stored_again(load_dag_file("decorated").dag)
    for task_id in ("deferred", "mapped", "overridden", "group.grouped"):
        one = dag.task_dict[task_id]
        assert one.operator_name == "@task.flyte"
    assert "horse" not in json.dumps(dag.task_dict["deferred"].env_vars, default=str)
    assert dag.task_dict["deferred"].op_kwargs == {"rate": "{{ params.rate }}"}
