"""The alert rules of docs/deployment.md: metrics exist, and each fires when it should, by Prometheus's own tool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import airflow
import pytest
import yaml  # type: ignore[import-untyped]

from airflow_provider_flyte.client import Outcome

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "deployment.md").read_text()
[BLOCK] = re.findall(r"^```yaml\n(groups:\n.*?)^```", PAGE, re.M | re.S)
[GROUP] = yaml.safe_load(BLOCK)["groups"]
RULES: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in GROUP["rules"]}

CONNECTION = {"flyte_conn_id": "flyte_default"}
BEATS = {"airflow_triggerer_heartbeat": "0+12x180"}


def flyte(metric: str, **labels: str) -> str:
    """A series of ours as an exporter has it."""
    text = ",".join(f'{name}="{value}"' for name, value in {**CONNECTION, **labels}.items())
    return f"airflow_flyte_{metric}{{{text}}}"


WAITS, CALLS, STREAM_UP = flyte("waits"), flyte("calls"), flyte("stream_up")
UNREACHABLE = flyte("outcomes", outcome="unreachable")
FAILED, SUCCEEDED = (flyte("outcomes", outcome=outcome) for outcome in ("failed", "succeeded"))
GARBLED, BLOCKED = flyte("garbled_answers"), "airflow_triggers_blocked_main_thread"

# What one exporter hears in turn from a triggerer whose stream is down and from one whose stream works.
IN_TURN = " ".join(["0 1"] * 90)

# alert, series with a value each minute, the minute, the labels it then fires with or None
CASES: list[tuple[str, dict[str, str], int, dict[str, str] | None]] = [
    ("FlyteUnreachable", {SUCCEEDED: "0+1x180"}, 100, None),
    ("FlyteUnreachable", {UNREACHABLE: "_x20 1x180"}, 25, {**CONNECTION, "outcome": "unreachable"}),
    ("FlyteUnreachable", {UNREACHABLE: "_x20 1x180"}, 50, None),
    ("FlyteUnreachable", {UNREACHABLE: "3x60 4x100"}, 65, {**CONNECTION, "outcome": "unreachable"}),
    ("FlyteWaitsWithoutCalls", {WAITS: "3x180", CALLS: "0+12x180"}, 100, None),
    ("FlyteWaitsWithoutCalls", {WAITS: "3x180", CALLS: "500x180"}, 30, CONNECTION),
    ("FlyteWaitsWithoutCalls", {WAITS: "3x180"}, 30, CONNECTION),
    ("FlyteWaitsWithoutCalls", {WAITS: "0x180", CALLS: "500x180"}, 100, None),
    ("FlyteStreamDown", {WAITS: "3x180", STREAM_UP: "1x180"}, 150, None),
    ("FlyteStreamDown", {WAITS: "3x180", STREAM_UP: "0x180"}, 30, None),
    ("FlyteStreamDown", {WAITS: "3x180", STREAM_UP: "0x180"}, 90, CONNECTION),
    ("FlyteStreamDown", {WAITS: "3x180", STREAM_UP: IN_TURN}, 100, CONNECTION),
    ("FlyteStreamDown", {WAITS: "0x180", STREAM_UP: "0x180"}, 150, None),
    ("FlyteAnswersGarbled", {GARBLED: "0+1x180"}, 60, CONNECTION),
    ("FlyteAnswersGarbled", {GARBLED: "0x60 1x100"}, 65, None),
    ("FlyteRunsFail", {FAILED: "0+3x180", SUCCEEDED: "0+1x180"}, 100, CONNECTION),
    ("FlyteRunsFail", {FAILED: "0+1x180", SUCCEEDED: "0+3x180"}, 100, None),
    ("TriggererSilent", {}, 100, None),
    ("TriggererSilent", {"airflow_triggerer_heartbeat": "0+12x60 720x120"}, 62, None),
    ("TriggererSilent", {"airflow_triggerer_heartbeat": "0+12x60 720x120"}, 80, {}),
    ("TriggererSilent", {"airflow_triggerer_heartbeat": "_x180"}, 10, {}),
    ("TriggererBlocked", {BLOCKED: "0+1x180"}, 60, {}),
    ("TriggererBlocked", {BLOCKED: "7x180"}, 60, None),
]


def test_each_metric_of_the_alerts_exists() -> None:
    ours = {
        name
        for file in (ROOT / "airflow_provider_flyte" / "report").glob("*.py")
        for name in re.findall(r'"(flyte\.\w+)"', file.read_text())
    }
    airflows = (Path(airflow.__file__).parent / "jobs" / "triggerer_job_runner.py").read_text()
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("waiting.md", "launch.md"))
    named = {name for rule in RULES.values() for name in re.findall(r"airflow_(\w+)", rule["expr"])}
    assert len(named) >= 6
    for name in named:
        if name.startswith("flyte_"):
            metric = name.replace("flyte_", "flyte.", 1)
            assert metric in ours
            assert f"`{metric}`" in pages
        else:
            assert f'"{name}"' in airflows or f'"{name.replace("_", ".", 1)}"' in airflows


def test_each_alert_has_a_row_that_says_what_to_do() -> None:
    assert len(RULES) == len(GROUP["rules"])
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| .+ \|$", PAGE.partition("| alert | what to do |")[2], re.M)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == [*RULES]
    outcomes = set(re.findall(r'outcome="(\w+)"', " ".join(rule["expr"] for rule in RULES.values())))
    assert outcomes <= {each.value for each in Outcome}


def test_each_alert_is_seen_to_fire_and_not_to() -> None:
    assert {alert for alert, _, _, fired in CASES if fired is not None} == {*RULES}
    assert {alert for alert, _, _, fired in CASES if fired is None} == {*RULES}


def test_prometheus_fires_each_alert_when_it_should(tmp_path: Path) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    (tmp_path / "rules.yml").write_text(BLOCK)
    tests = []
    for alert, series, minute, fired in CASES:
        summary = RULES[alert]["annotations"]["summary"].replace("{{ $labels.flyte_conn_id }}", "flyte_default")
        expected = [] if fired is None else [{"exp_labels": fired, "exp_annotations": {"summary": summary}}]
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in {**BEATS, **series}.items()],
                "alert_rule_test": [{"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": expected}],
            }
        )
    cases = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases))
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "cases.yml"]):
        done = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
