"""What Airflow's database has of the events of outlets, in every mode, as far as ``dag.test()`` shows it."""

from __future__ import annotations

from collections import defaultdict
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_flyte.testing import LocalFlyte
from tests.support.blobs import FILE, blob
from tests.support.own_airflow import AIRFLOW, load_dag_file

pytestmark = [pytest.mark.one_transport("grpc"), pytest.mark.timeout(180), pytest.mark.usefixtures("airflow_db")]


def events_of(run_id: str) -> dict[str, list[dict[str, Any]]]:
    """URI -> what its events have, of those of a DAG run."""
    from airflow.utils.session import create_session

    assets, word = ("airflow.models.asset", "Asset") if AIRFLOW >= (3,) else ("airflow.models.dataset", "Dataset")
    module: Any = import_module(assets)
    Event, Model = getattr(module, f"{word}Event"), getattr(module, f"{word}Model")
    key = getattr(Event, f"{word.lower()}_id")
    found = defaultdict(list)
    with create_session() as session:
        rows = session.query(Event, Model).filter(Event.source_run_id == run_id, Model.id == key).order_by(Event.id)
        for event, asset in rows:
            found[asset.uri].append(dict(event.extra))
    return dict(found)


def test_every_mode_tells_what_happened(flyte_default: LocalFlyte) -> None:
    flyte_default.deploy("demo.train", outputs={"o0": FILE})
    written = "https://models.example/1.bin?X-Amz-Signature=5ec2e7"
    flyte_default.on_launch(lambda run: run.phases("RUNNING", "RUNNING", every=0.3).succeeds({"o0": blob(written)}))
    flyte_default.run("waited").phases("RUNNING", "RUNNING", every=1).succeeds()
    flyte_default.run("failed").fails()
    dag = load_dag_file("outlets").dag
    if AIRFLOW < (3,):
        # As the scheduler does: there dag.test() makes no rows of assets.
        dag.sync_to_db()
    dag_run = dag.test()
    states = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
    assert states == dict.fromkeys(("poke", "reschedule", "deferred", "launched", "mapped"), "success") | {
        "skipped": "skipped"
    }
    events = events_of(dag_run.run_id)
    for mode in ("poke", "reschedule", "deferred"):
        [extra] = events.pop(f"x-waited-{mode}")
        assert (extra["run_name"], extra["phase"], extra["rows"]) == ("waited", "SUCCEEDED", 3)
    [launched] = events.pop("flyte://flytesnacks/development/demo.train")
    [data] = events.pop("https://models.example/1.bin")
    assert data == launched | {"output": "o0", "output_type": "file"}
    mapped = {extra["run_name"] for extra in events.pop("x-mapped")}
    assert mapped | {launched["run_name"], "waited", "failed"} == {run.name for run in flyte_default.runs()}
    assert len(mapped) == 2
    assert events == {}
