"""A dict that does not show its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

REDACTED = "***"
"""The substitute for a hidden value, in XCom too."""


class HiddenValues(Mapping[str, str]):
    """A mapping that shows its names only: Rendered Templates and the serialized DAG have what ``str()`` gives.

    :param hidden: the values by name. Anything else (a template, an upstream task's output) is shown as ``***``.
    """

    def __init__(self, hidden: Any) -> None:
        self.hidden = hidden
        self._values: Mapping[str, str] = hidden if isinstance(hidden, Mapping) else {}
        self.unfit = "" if isinstance(hidden, Mapping) else type(hidden).__name__
        """The type's name, where it is no mapping."""

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __bool__(self) -> bool:
        # Airflow renders nothing that is false.
        return bool(self.hidden)

    def __repr__(self) -> str:
        return REDACTED if self.unfit else repr(dict.fromkeys(self._values, REDACTED))
