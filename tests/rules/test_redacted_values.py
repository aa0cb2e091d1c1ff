"""Values -> what Rendered Templates shows of them. By tables, without a server."""

from __future__ import annotations

from collections import UserDict
from typing import Any

import pytest

from airflow_provider_flyte.report.redaction import HiddenValues


@pytest.mark.parametrize("made", [dict, UserDict])
def test_names_are_shown_and_values_are_not(made: Any) -> None:
    values = HiddenValues(made({"A": "s3cret", "B": ""}))
    assert repr(values) == str(values) == "{'A': '***', 'B': '***'}"
    assert (dict(values), values["A"], list(values), len(values)) == ({"A": "s3cret", "B": ""}, "s3cret", ["A", "B"], 2)
    assert (values.unfit, bool(values)) == ("", True)
    with pytest.raises(KeyError):
        values["C"]


@pytest.mark.parametrize(
    ("hidden", "unfit"), [("{{ s3cret }}", "str"), (["s3cret"], "list"), (3, "int"), (None, "NoneType"), ("", "str")]
)
def test_what_is_not_a_mapping_is_hidden_whole(hidden: Any, unfit: str) -> None:
    values = HiddenValues(hidden)
    assert repr(values) == "***"
    assert (dict(values), len(values), values.unfit) == ({}, 0, unfit)
    assert values.hidden is hidden
    # Airflow renders nothing that is false.
    assert bool(values) is bool(hidden)


def test_none_stays_none() -> None:
    values = HiddenValues({})
    assert (repr(values), bool(values), len(values), values.unfit) == ("{}", False, 0, "")
