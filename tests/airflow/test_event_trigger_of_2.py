"""FlyteRunsTrigger on Airflow 2, which has no watchers of assets."""

from __future__ import annotations

import pytest

from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.triggers import FlyteRunsTrigger


def test_it_is_refused_when_the_file_is_parsed() -> None:
    with pytest.raises(FlyteArgumentError) as caught:
        FlyteRunsTrigger("demo.train")
    assert str(caught.value) == (
        "FlyteRunsTrigger needs Airflow 3.0 or newer: before that, no trigger can fire for assets."
    )
