"""Messages compared field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

IGNORED = [
    line
    for line in (Path(__file__).parent / "ignored_paths.txt").read_text().splitlines()
    if line and not line.startswith("#")
]

OWN_CLOCK = [path for path in IGNORED if path.startswith("*.status.")]
"""What is compared too where the server's clock is set to the recorded times."""


def differing(
    mine: Any, recorded: Any, path: str = "", *, ignored: Sequence[str] = IGNORED
) -> Iterator[tuple[str, Any, Any]]:
    """The fields in which two messages differ, by path; of an ignored one only whether it is set."""
    if not isinstance(mine, Message):
        if mine != recorded and not (mine != mine and recorded != recorded):  # not a number is equal here
            yield path, mine, recorded
        return
    ours, theirs = ({described.name: value for described, value in one.ListFields()} for one in (mine, recorded))
    for name in dict.fromkeys((*ours, *theirs)):
        here = f"{path}.{name}" if path else name
        if name not in ours or name not in theirs:
            yield here, ours.get(name, "not set"), theirs.get(name, "not set")
        elif not any(fnmatchcase(here, pattern) for pattern in ignored):
            yield from _differing_values(ours[name], theirs[name], here, ignored)


def _differing_values(ours: Any, theirs: Any, path: str, ignored: Sequence[str]) -> Iterator[tuple[str, Any, Any]]:
    if hasattr(ours, "items"):
        if ours.keys() != theirs.keys():
            yield path, sorted(ours), sorted(theirs)
        else:
            for key in ours:
                yield from differing(ours[key], theirs[key], f"{path}.{key}", ignored=ignored)
    elif hasattr(ours, "extend"):
        if len(ours) != len(theirs):
            yield path, f"{len(ours)} of them", f"{len(theirs)} of them"
        else:
            for one, other in zip(ours, theirs, strict=True):
                yield from differing(one, other, path, ignored=ignored)
    else:
        yield from differing(ours, theirs, path, ignored=ignored)


def leaves(message: Message, path: str = "") -> Iterator[tuple[str, Any, Callable[[Any], None]]]:
    """Each scalar that is set: its path, its value, and what sets another."""
    for described, value in message.ListFields():
        here = f"{path}.{described.name}" if path else described.name
        if hasattr(value, "items"):
            items = [(value[key], f"{here}.{key}", partial(value.__setitem__, key)) for key in value]
        elif hasattr(value, "extend"):
            items = [(item, here, partial(value.__setitem__, place)) for place, item in enumerate(value)]
        else:
            items = [(value, here, partial(setattr, message, described.name))]
        for item, at, put in items:
            if isinstance(item, Message):
                yield from leaves(item, at)
            else:
                yield at, item, put
