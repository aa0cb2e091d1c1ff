"""A pytest plugin: the fixture ``local_flyte``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_flyte.testing import LocalFlyte


@pytest.fixture
def local_flyte() -> Iterator[LocalFlyte]:
    """A local Flyte 2 control plane on a free port, for one test."""
    from airflow_provider_flyte.testing import LocalFlyte  # the plugin is loaded everywhere

    with LocalFlyte() as flyte:
        yield flyte
