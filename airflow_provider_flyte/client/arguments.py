"""Checks of what callers give: times, switches, whole numbers, choices. A text is none of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from numbers import Integral, Real
from typing import Any

from airflow_provider_flyte.client.errors import ConfigError

LONGEST, LONGEST_IN_WORDS = 3_155_760_000.0, "a hundred years"
"""Maximum seconds of a time: dates and deadlines overflow somewhere beyond it. Where "for ever" makes sense, there is
another value for it."""

MOST_CONCURRENT = 2**32 - 1
"""What Flyte's field for ``max_action_concurrency`` holds."""

CACHE_LOOKUP_SCOPES = ("global", "project-domain")
"""Where a run may look for cached results, in the SDK's words."""

MISSING_AFTER = 60.0
UNREACHABLE_AFTER = 300.0
"""Seconds for which a wait tolerates a missing run and trouble, unless other values are set."""

CLOCK_DIFFERENCE = 300
"""Seconds by which the clocks of Airflow, of Flyte and of its clusters may differ, and so late a run may appear in
lists, without a run being missed that is found by its creation."""


def is_number(value: object, *, least: float, most: float = math.inf, above_least: bool = False) -> bool:
    """Whether this is a finite number within bounds. Infinity and NaN are numbers to Python, and True is 1."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        number = float(value)
    except OverflowError:
        # An int may be more than any float.
        return False
    return least <= number <= most and number < math.inf and not (above_least and number == least)


def seconds(name: str, value: object, *, least: float = 0.0, above_least: bool = False, or_none: str = "") -> float:
    """The seconds of a number or a timedelta, at most :data:`LONGEST`.

    :param name: what the argument is called.
    :param value: what was given.
    :param least: the least that makes sense.
    :param above_least: whether it has to be more than ``least``.
    :param or_none: what else may be given, for the error.
    :raises ConfigError: naming the argument and what to give.
    """
    given: Any = value.total_seconds() if isinstance(value, timedelta) else value
    if is_number(given, least=least, most=LONGEST, above_least=above_least):
        # An int stays one, as it is logged and stored.
        return int(given) if isinstance(given, Integral) else float(given)
    lower = f"above {least:g}" if above_least else f"at least {least:g}"
    raise ConfigError(
        f"{name} is {value!r}; give a number of seconds or a timedelta{or_none} ({lower}, at most {LONGEST_IN_WORDS})."
    )


def optional_seconds(name: str, value: object) -> float | None:
    """:func:`seconds`, or None, for ever."""
    return None if value is None else seconds(name, value, or_none=", or None for ever")


def positive(name: str, value: object) -> float:
    """A finite number above 0.

    :raises ConfigError: naming the argument and what to give.
    """
    if isinstance(value, Real) and is_number(value, least=0, above_least=True):
        return float(value)
    raise ConfigError(f"{name} is {value!r}; give a number above 0.")


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


def whole_number(name: str, value: object, *, least: int = 0, most: int | None = None, otherwise: str = "") -> int:
    """A whole number.

    :param otherwise: an addition to the error's text.
    :raises ConfigError: naming the argument and what to give.
    """
    if (
        isinstance(value, Integral)
        and not isinstance(value, bool)
        and int(value) >= least
        and (most is None or int(value) <= most)
    ):
        return int(value)
    upper = "" if most is None else f" and at most {most}"
    raise ConfigError(f"{name} is {value!r}; give a whole number, at least {least}{upper}{otherwise}.")


def action_concurrency(value: object) -> int | None:
    """How many actions of a run may run at once; None leaves it to Flyte.

    :raises ConfigError: also for 1, with which a run that starts actions never ends: its own keeps the only place while
        it waits for them (SDK 2.12.1, ``with_runcontext``).
    """
    if value is None:
        return None
    why = ", because the run's own action counts and waits for those that it starts"
    return whole_number("max_action_concurrency", value, least=2, most=MOST_CONCURRENT, otherwise=why)


def action_names(name: str, value: object) -> tuple[str, ...]:
    """Names of actions.

    :param name: what the argument is called.
    :raises ConfigError: naming the argument and what to give.
    """
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) and each.strip() for each in value):
        return tuple(printable(name, each) for each in value)
    raise ConfigError(f"{name} is {value!r}; give the actions' names as a list.")


def sendable(name: str, value: str, *, secret: bool = False) -> str:
    """A text that can be sent: UTF-8 has no lone surrogates, which Python's texts may hold.

    :param name: what the argument is called.
    :param secret: whether the value is left out of the error.
    :raises ConfigError: naming the argument.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        seen = "" if secret else f" is {value!r}, which"
        raise ConfigError(f"{name}{seen} holds a lone surrogate, which cannot be sent. Give another text.") from None
    return value


def printable(name: str, value: str) -> str:
    """A text of one line that can be sent and logged: names, hosts and URLs stand in logs, links and errors.

    :param name: what the argument is called.
    :raises ConfigError: naming the argument.
    """
    if not sendable(name, value).isprintable():
        raise ConfigError(
            f"{name} is {value!r}, which has a line break or another character that cannot be printed. Give a text of "
            "one line."
        )
    return value


def choice(name: str, value: object, choices: Sequence[str | None]) -> Any:
    """One of a few values.

    :raises ConfigError: naming the argument and what to give.
    """
    if value is None or isinstance(value, str):
        for each in choices:
            if value == each:
                return each
    raise ConfigError(f"{name} is {value!r}; give one of {', '.join(map(repr, choices))}.")
