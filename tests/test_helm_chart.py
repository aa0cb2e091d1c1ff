"""The values of docs/deployment.md, rendered by helm with Airflow's chart where both are at hand.

``HELM_CHART`` names the chart: a folder, or the archive that ``helm pull apache-airflow/airflow`` gives.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
CHART = os.environ.get("HELM_CHART", "")
[BLOCK] = re.findall(r"^```yaml\n(airflowVersion:.*?)^```", (ROOT / "docs" / "deployment.md").read_text(), re.M | re.S)
VALUES = yaml.safe_load(BLOCK)

COMPONENTS = {"api-server", "dag-processor", "scheduler", "triggerer", "worker"}


@pytest.fixture
def objects(tmp_path: Path) -> list[dict[str, Any]]:
    if not CHART or not shutil.which("helm"):
        pytest.skip("helm is not installed, or HELM_CHART names no chart")
    values = tmp_path / "values.yaml"
    values.write_text(BLOCK)
    command = ["helm", "template", "airflow", CHART, "--values", str(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def data(objects: list[dict[str, Any]], name: str) -> str:
    [text] = [one["data"][name] for one in objects if one["kind"] == "ConfigMap" and name in (one.get("data") or {})]
    return str(text)


def test_the_chart_does_with_the_values_what_the_page_says(objects: list[dict[str, Any]]) -> None:
    workloads = {
        one["metadata"]["labels"].get("component"): one
        for one in objects
        if one["kind"] in ("Deployment", "StatefulSet")
    }
    assert {*workloads} >= COMPONENTS
    image = "{repository}:{tag}".format(**VALUES["images"]["airflow"])
    [secret] = VALUES["secret"]
    wanted = {"secretKeyRef": {"name": secret["secretName"], "key": secret["secretKey"]}}
    for component in COMPONENTS:
        pod = workloads[component]["spec"]["template"]["spec"]
        [container] = [one for one in pod["containers"] if one["name"] == component]
        assert container["image"] == image
        assert [one.get("valueFrom") for one in container["env"] if one["name"] == secret["envName"]] == [wanted]
    assert workloads["triggerer"]["spec"]["replicas"] == VALUES["triggerer"]["replicas"]
    # As in `kubectl exec statefulset/airflow-triggerer`.
    assert (workloads["triggerer"]["kind"], workloads["triggerer"]["metadata"]["name"]) == (
        "StatefulSet",
        "airflow-triggerer",
    )

    config = configparser.ConfigParser(interpolation=None)
    config.read_string(data(objects, "airflow.cfg"))
    for section, options in VALUES["config"].items():
        assert {name: config[section][name] for name in options} == options
    assert (config["metrics"]["statsd_on"], config["metrics"]["statsd_prefix"]) == ("True", "airflow")


def test_the_charts_mappings_leave_our_metrics_alone(objects: list[dict[str, Any]]) -> None:
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("waiting.md", "launch.md"))
    ours = {f"airflow.{name}" for name in re.findall(r"`(flyte\.[a-z_]+)`", pages)}
    assert len(ours) >= 9
    for mapping in yaml.safe_load(data(objects, "mappings.yml"))["mappings"]:
        pattern = mapping["match"]
        if mapping.get("match_type") != "regex":
            pattern = "^" + re.escape(pattern).replace(r"\*", "[^.]*") + "$"
        assert not [name for name in ours if re.search(pattern, name)], mapping
