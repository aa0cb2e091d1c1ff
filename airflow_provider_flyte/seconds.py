"""Checks of arguments that are seconds."""

from __future__ import annotations

from typing import Any

from airflow_provider_flyte.client.errors import ConfigError


def check_seconds(name: str, value: Any, *, optional: bool) -> None:
    """Refuse what is no number of seconds.

    :param optional: whether None may be given, for ever.
    :raises ConfigError: with the argument's name.
    """
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ConfigError(f"{name} is {value!r}; give a number of seconds{', or None for ever' if optional else ''}.")
