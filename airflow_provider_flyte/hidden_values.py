"""A dict whose values nobody sees by looking at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_flyte.xcom import REDACTED


class HiddenValues(Mapping[str, str]):
    """A mapping that shows its names only; Airflow's Rendered Templates show what ``str()`` gives.

    :param values: the values by name.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self._values, REDACTED))
