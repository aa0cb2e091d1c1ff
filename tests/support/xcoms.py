"""The value that a task gets when it pulls an XCom: through Airflow's own serializers and all between them."""

from __future__ import annotations

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

try:
    from airflow.sdk.execution_time.comms import _new_encoder
    from airflow.sdk.execution_time.xcom import BaseXCom  # type: ignore[attr-defined]
except ImportError:
    from airflow.models.xcom import BaseXCom  # type: ignore[no-redef]

    _new_encoder = None  # type: ignore[assignment]


def through_xcom(value: Any) -> Any:
    """The value as another task gets it.

    Airflow 2.11 stores the bytes that it makes. Airflow 3 sends JSON to the API server, whose database may keep it as
    PostgreSQL's JSONB, and the supervisor hands it on as msgpack.
    """
    stored = BaseXCom.serialize_value(value)
    if _new_encoder is not None:
        stored = json.loads(_through_jsonb(json.dumps(stored, allow_nan=False)), parse_constant=_refuse)
        _new_encoder().encode(stored)
    return BaseXCom.deserialize_value(SimpleNamespace(value=stored))


def _through_jsonb(text: str) -> str:
    """The value as PostgreSQL 15 returns JSONB: numbers are decimals without an exponent, and NUL is refused."""
    if "\\u0000" in text:
        raise ValueError("unsupported Unicode escape sequence: \\u0000 cannot be converted to text.")
    return json.dumps(json.loads(text, parse_float=_decimal))


def _decimal(text: str) -> int | float:
    plain = format(Decimal(text), "f")
    return float(plain) if "." in plain else int(plain)


def _refuse(constant: str) -> Any:
    raise ValueError(f"invalid input syntax for type json: {constant}")
