"""Text from outside (Flyte, a proxy, a token server), cleaned for logs, errors and events. All cleaning is done here.

Such text may imitate ours: line breaks begin new lines in a log, a terminal obeys escape sequences, some characters
are invisible. A lone surrogate cannot be encoded at all: one in an event ends Airflow 3's triggerer with all its waits
(UnicodeEncodeError). Values are not cleaned: an output stays as it is.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

LONGEST = 2000
"""Characters of a text in an error or a log."""

LONGEST_IN_EVENT = 500
"""Characters of a text in a trigger's event, which Airflow keeps in its database and logs in full."""

LONGEST_NAME = 200
"""Characters of a name that Flyte gives."""

MOST_NAMED = 20
"""How many runs are named or logged one by one; a task may wait for thousands."""

_NAMED_IN_A_LINE = 5

REPLACED = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that cannot be printed."""

HIDDEN = "***"
"""Stands for a credential that a server repeats."""

_SHORTEST_HIDDEN = 5
"""Airflow does not mask shorter texts either: they would stand in every other word."""

_TELLS_ENOUGH = 12
"""Characters of a credential's beginning that are hidden too: servers show, and cut, what they refuse."""

_URLSAFE = str.maketrans("+/", "-_")

_LEFT_OUT = " ... "
_READ = 4
"""How many times the longest result is looked at: a text of megabytes would hold an event loop."""

_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
"""A terminal's colours and movements (ECMA-48, 5.4), as programs write them into logs."""

_FOLDS = re.compile("(::(?:end)?group:):")
"""Airflow 3's page of a log folds what is between ``::group::`` and ``::endgroup::``, wherever in a line they stand.
Text from outside could hide the lines after it."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN_BEFORE = "\n  | "


def first_names(names: Sequence[str]) -> str:
    """The first names, for a line of a log or an error; an ellipsis stands for the rest."""
    return ", ".join(names[:_NAMED_IN_A_LINE]) + (" ..." if len(names) > _NAMED_IN_A_LINE else "")


def one_line(text: str, most: int = LONGEST) -> str:
    """The text as a line of printable characters; a long one lacks its middle, because reasons stand at both ends.

    :param text: from outside.
    :param most: how many characters there may be.
    """
    if len(text) <= most and text.isprintable() and not _FOLDS.search(text):
        return text
    first, *others = _seen_lines(text, most) or [""]
    return _shortened(" ".join([first, *filter(None, map(str.strip, others))]), most)


def some_lines(text: str, most: int = LONGEST) -> str:
    """The same for a text that may have several lines, such as a traceback. Show it by :func:`marked`."""
    if len(text) <= most and all(map(str.isprintable, text.split("\n"))) and not _FOLDS.search(text):
        return text
    return _shortened("\n".join(_seen_lines(text, most)), most)


def marked(text: str) -> str:
    """Several lines for a log, each but the first marked, so that none can be taken for one of the log's own."""
    return text.replace("\n", _SHOWN_BEFORE)


def without(text: str, credentials: Iterable[str]) -> str:
    """The text without credentials that a server may repeat. To be done before a text is cut.

    :param text: from outside.
    :param credentials: what was sent; with an authentication scheme (``Bearer ...``) it is hidden without that, too.
    """
    forms = [form for credential in credentials for form in _forms(credential)]
    for form in forms:
        text = text.replace(form, HIDDEN)
    for form in forms:
        text = _without_beginnings(text, form)
    return text


def _forms(credential: str) -> Iterator[str]:
    """As it was sent, and as it stands in a URL, in JSON or in base64; the longest parts first."""
    for part in dict.fromkeys((credential, credential.partition(" ")[2])):
        if len(part) >= _SHORTEST_HIDDEN:
            yield from dict.fromkeys((part, quote(part, safe=""), json.dumps(part)[1:-1]))
            for offset in range(3):
                inside = _inside_base64(part.encode(), offset)
                yield from dict.fromkeys((inside, inside.translate(_URLSAFE)))


def _inside_base64(data: bytes, offset: int) -> str:
    """What base64 of any text has in it where this data stands there, so many bytes after a multiple of three."""
    encoded = base64.b64encode(b"\0" * offset + data)
    # Characters that depend on what stands before or after are left out.
    return encoded[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6].decode()


def _without_beginnings(text: str, secret: str) -> str:
    begin, at = secret[:_TELLS_ENOUGH], 0
    while (at := text.find(begin, at)) >= 0:
        end = at + len(begin)
        while end < len(text) and end - at < len(secret) and text[end] == secret[end - at]:
            end += 1
        text = text[:at] + HIDDEN + text[end:]
        at += len(HIDDEN)
    return text


def storable(text: str) -> str:
    """A value's text, with what no database and no encoding takes replaced: NUL and lone surrogates."""
    return _SURROGATE.sub(REPLACED, text.replace("\0", ""))


def _seen_lines(text: str, most: int) -> list[str]:
    lines = _ESCAPE_SEQUENCE.sub("", _shortened(text, _READ * most)).splitlines()
    return [_FOLDS.sub(r"\1 :", "".join(map(_seen, line))).rstrip() for line in lines]


def _seen(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else REPLACED


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    begin = (most - len(_LEFT_OUT)) // 2
    return text[:begin] + _LEFT_OUT + text[begin + len(_LEFT_OUT) - most :]
