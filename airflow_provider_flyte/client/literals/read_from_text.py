"""A value together with the text that it was parsed from: a template gives a text, whatever it is meant to be."""

from __future__ import annotations

from typing import Any


class ReadFromText:
    """A value that was parsed from a text, such as 20261126 from ``"20261126"``. Where it does not fit, the text may.

    :param value: the parsed value.
    :param text: what it was parsed from.
    """

    __slots__ = ("text", "value")

    def __init__(self, value: Any, text: str) -> None:
        self.value = value
        self.text = text

    def __repr__(self) -> str:
        return repr(self.value)
