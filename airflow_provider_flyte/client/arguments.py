"""Checks of what callers give: times, switches, whole numbers, choices. A text is none of them, whatever it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from numbers import Integral, Real
from typing import Any

from airflow_provider_flyte.client.errors import ConfigError

LONGEST = 3_155_760_000.0
"""Most seconds that a time may have, a hundred years: dates and deadlines end somewhere behind it, and whoever means
"for ever" can say so."""


def seconds(
    name: str, value: object, *, least: float = 0.0, most: float = LONGEST, above_least: bool = False, or_none: str = ""
) -> float:
    """The seconds of a number or a timedelta.

    :param name: what the argument is called.
    :param value: what was given.
    :param least: the least that makes sense.
    :param most: the most that makes sense.
    :param above_least: whether it has to be more than ``least``.
    :param or_none: what else may be given, for the error.
    :raises ConfigError: naming the argument and what to give.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    # Infinity and NaN are numbers to Python, and True is 1.
    if isinstance(number, Real) and not isinstance(number, bool):
        # An int stays one, as it is logged and stored.
        number = int(number) if isinstance(number, Integral) else float(number)
        if least <= number <= most and not (above_least and number == least):
            return number
    lower = f"above {least:g}" if above_least else f"from {least:g}"
    raise ConfigError(f"{name} is {value!r}; give a number of seconds {lower} to {most:.0f}, or a timedelta{or_none}.")


def optional_seconds(name: str, value: object) -> float | None:
    """:func:`seconds`, or None, for ever."""
    return None if value is None else seconds(name, value, or_none=", or None for ever")


def positive(name: str, value: object, most: float = math.inf) -> float:
    """A finite number above 0.

    :raises ConfigError: naming the argument and what to give.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        if 0 < number <= most and number < math.inf:
            return number
    up_to = f", at most {most:g}" if most < math.inf else ""
    raise ConfigError(f"{name} is {value!r}; give a number above 0{up_to}.")


def switch(name: str, value: object, *, optional: bool = False) -> Any:
    """True or False, or None where that may be given. A text such as "False" would count as true.

    :raises ConfigError: naming the argument and what to give.
    """
    if isinstance(value, bool) or (value is None and optional):
        return value
    # numpy's own True and False are none of Python's.
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool_", "bool"):
        return bool(value)
    raise ConfigError(f"{name} is {value!r}; give True or False{', or None' if optional else ''}.")


def whole_number(name: str, value: object, *, least: int = 0, otherwise: str = "") -> int:
    """A whole number.

    :param otherwise: what else can be said of it, for the error.
    :raises ConfigError: naming the argument and what to give.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least:
        return int(value)
    raise ConfigError(f"{name} is {value!r}; give a whole number, at least {least}{otherwise}.")


def choice(name: str, value: object, choices: Sequence[str | None]) -> Any:
    """One of a few values.

    :raises ConfigError: naming the argument and what to give.
    """
    if value is None or isinstance(value, str):
        for each in choices:
            if value == each:
                return each
    raise ConfigError(f"{name} is {value!r}; give one of {', '.join(map(repr, choices))}.")
