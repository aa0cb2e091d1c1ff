"""docs/deployment.md: what it has people enter exists, and is read as it says, as far as that needs no cluster."""

from __future__ import annotations

import configparser
import importlib
import json
import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from airflow_provider_flyte import DISTRIBUTION, __version__
from airflow_provider_flyte.settings import config_section
from tests.support.own_airflow import AIRFLOW

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "deployment.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


VALUES = yaml.safe_load(blocks("yaml")[0])
[CONNECTION] = map(json.loads, blocks("json"))


def test_the_image_is_made_of_what_there_is() -> None:
    [dockerfile] = blocks("dockerfile")
    [tag] = re.findall(r"^FROM apache/airflow:(\S+)$", dockerfile, re.M)
    wheel = f"{DISTRIBUTION.replace('-', '_')}-{__version__}-py3-none-any.whl"
    assert set(re.findall(r"\S*\.whl", dockerfile)) == {wheel, f"/tmp/flyte/{wheel}"}
    assert re.findall(r" (constraints/\S+)", dockerfile) == [f"constraints/airflow-{tag}.txt"]
    assert (ROOT / "constraints" / f"airflow-{tag}.txt").is_file()
    [requirement] = re.findall(rf"^{DISTRIBUTION}==(\S+)$", PAGE, re.M)
    assert requirement == __version__


def test_the_charts_values_set_options_that_there_are() -> None:
    """Ours and Airflow's; test_helm_chart.py holds the chart's own names against a chart, where there is one."""
    from airflow.configuration import conf

    assert VALUES["images"]["airflow"]["tag"].endswith(f"-{__version__}")
    for section, options in VALUES["config"].items():
        for name, value in options.items():
            assert isinstance(value, str), name
            if section == "flyte":
                assert name in config_section()["options"]
            elif (section, name) == ("triggerer", "capacity") and AIRFLOW < (3,):
                assert conf.has_option("triggerer", "default_capacity")
            else:
                assert conf.has_option(section, name)
    [secret] = VALUES["secret"]
    assert set(secret) == {"envName", "secretName", "secretKey"}
    command = (
        f"kubectl create secret generic {secret['secretName']} --from-file={secret['secretKey']}=flyte_default.json"
    )
    assert command in PAGE
    assert f"{secret['envName']}='{{...}}'" in PAGE


def test_the_connection_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_flyte.hooks import FlyteHook

    monkeypatch.setenv(VALUES["secret"][0]["envName"], json.dumps(CONNECTION))
    config = FlyteHook().get_config()
    assert (config.endpoint, config.project, config.domain) == ("flyte.example.com:443", "flytesnacks", "development")
    assert not config.insecure


def test_a_mounted_file_holds_the_same_connection(tmp_path: Path) -> None:
    from airflow.models import Connection

    [text] = blocks("ini")
    secrets = configparser.ConfigParser()
    secrets.read_string(text)
    [argument] = json.loads(secrets["secrets"]["backend_kwargs"])
    file = tmp_path / "connections.json"
    file.write_text(json.dumps({"flyte_default": CONNECTION}))
    module, _, name = secrets["secrets"]["backend"].rpartition(".")
    backend = getattr(importlib.import_module(module), name)(**{argument: str(file)})
    stored = backend.get_connection("flyte_default")
    asked = Connection.from_json(json.dumps(CONNECTION), conn_id="flyte_default")
    for field in ("conn_type", "host", "port", "login", "password", "extra_dejson"):
        assert getattr(stored, field) == getattr(asked, field)


def test_its_figures_are_those_of_the_decisions() -> None:
    decisions = (ROOT / "docs" / "decisions.md").read_text()
    for waits, idle, memory, hold in re.findall(
        r"^\| ([\d,]+) \| ([\d.]+ %) \| ([\d.]+ kB) \| ([\d.]+ ms) \|$", PAGE, re.M
    ):
        [row] = re.findall(rf"^  \| {waits} \| before .*\n  \| \| now \|(.*)$", decisions, re.M)
        cells = [cell.strip() for cell in row.split("|")]
        assert (idle, memory) == (cells[0], cells[1])
        held = [float(cells[at].removesuffix(" ms")) for at in (3, 4, 6)]
        assert hold == f"{max(held)} ms"
