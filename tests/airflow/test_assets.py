"""``flyte://project/domain/task``: one asset for a Flyte task, however its URI is written; errors for what is none."""

from __future__ import annotations

import re
import warnings
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_flyte.assets import flyte_asset, normalize
from airflow_provider_flyte.compat import Asset
from airflow_provider_flyte.exceptions import FlyteArgumentError
from tests.support.own_airflow import AIRFLOW

TRAIN = {"project": "flytesnacks", "domain": "development", "task_name": "train.fit"}


def test_the_asset_of_a_task() -> None:
    asset = flyte_asset(**TRAIN, extra={"team": "data"})
    assert asset.uri == "flyte://flytesnacks/development/train.fit"
    assert asset.extra == {"team": "data"}
    assert asset == Asset("flyte://flytesnacks/development/train.fit", extra={"team": "data"})


@pytest.mark.parametrize(
    "uri",
    [
        "flyte://p/d/train.fit",
        "FLYTE://p/d/train.fit",
        "flyte://p/d/train.fit/",
        "flyte://p/d/train%2Efit",
        "flyte://p/d/train%2efit#x",
        "flyte://%70/d/train.fit",
    ],
)
def test_airflow_has_one_uri_however_it_is_written(uri: str) -> None:
    """By our handler, which Airflow finds by what the provider says of itself."""
    assert Asset(uri).uri == flyte_asset(project="p", domain="d", task_name="train.fit").uri


@pytest.mark.parametrize("name", ["a/b", "a b", "a%2Fb", "ü", "a?b#c", "a@b:1", "~a_b-c.d"])
def test_any_name_has_one_spelling(name: str) -> None:
    uri = flyte_asset(project=name, domain=name, task_name=name).uri
    assert Asset(uri).uri == uri
    assert uri.isascii()
    assert normalize(normalize(urlsplit(uri))) == normalize(urlsplit(uri)) == urlsplit(uri)


def test_case_counts() -> None:
    assert flyte_asset(**TRAIN | {"project": "P"}).uri != flyte_asset(**TRAIN | {"project": "p"}).uri


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("flyte://p/d", "three parts"),
        ("flyte://p", "three parts"),
        ("flyte://p/d/a/b", "three parts, and a / within a name is written %2F"),
        ("flyte:p/d/t", "three parts"),
        ("flyte:///d/t", "the project is empty"),
        ("flyte://p//t", "the domain is empty"),
        ("flyte://p/d/%20", "the task is empty"),
        ("flyte://p/../t", "the domain is a dot or two"),
        ("flyte://p/d/%0a", "the task is empty"),
        ("flyte://p/d/a%1b", "the task has characters that cannot be printed"),
        ("flyte://p/d/%ff", "the task is not UTF-8"),
        ("flyte://p/d/t?version=1", "a version is no part of it"),
        ("flyte://p:8090/d/t", "without a user, a password or a port"),
    ],
)
def test_what_is_no_task_is_an_error_where_the_dag_is_read(uri: str, error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        normalize(urlsplit(uri))
    if AIRFLOW >= (3,):
        with pytest.raises(ValueError, match=re.escape(error)):
            Asset(uri)
    else:
        # Airflow 2.11's own way.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Asset(uri)
        assert any(error in str(one.message) for one in caught)


def test_who_has_a_user_in_it() -> None:
    with pytest.raises(ValueError, match="without a user"):
        normalize(urlsplit("flyte://me@p/d/t"))


@pytest.mark.parametrize("change", [{"project": ""}, {"domain": " "}, {"task_name": None}, {"task_name": "a\nb"}])
def test_what_can_be_no_name(change: dict[str, Any]) -> None:
    with pytest.raises(FlyteArgumentError, match=rf"^{next(iter(change))} is "):
        flyte_asset(**TRAIN | change)
