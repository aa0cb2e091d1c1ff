"""A dict whose values nobody sees by looking at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_flyte.xcom import REDACTED


class HiddenValues(Mapping[str, str]):
    """A mapping that shows its names only; Airflow's Rendered Templates show what ``str()`` gives.

    :param values: the values by name. Anything else is shown as nothing but ``***``.
    """

    def __init__(self, values: Any) -> None:
        self._values: Mapping[str, str] = values if isinstance(values, Mapping) else {}
        self.unfit = "" if isinstance(values, Mapping) else type(values).__name__
        """What it is, where it is no mapping."""

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return REDACTED if self.unfit else repr(dict.fromkeys(self._values, REDACTED))
