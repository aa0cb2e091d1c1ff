"""Looks for secrets in whatever was left behind: as they are, and in each form in which they travel."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from rich.traceback import Traceback

_SHORTEST = 8
"""The least number of characters that is searched for: fewer would be found by chance."""


def found(secrets: Mapping[str, str], sources: Iterable[tuple[str, str | bytes]]) -> list[str]:
    """The secrets that were found and where, as sentences that do not show them.

    :param secrets: name -> secret. One of several lines (a key as PEM) is found by any of its lines.
    :param sources: name and content of each place to look at.
    """
    wanted = [
        (name, form, needle)
        for name, secret in secrets.items()
        for part in _parts(secret)
        for needle, form in forms(part).items()
    ]
    hits = []
    for source, content in sources:
        data = content.encode(errors="surrogatepass") if isinstance(content, str) else content
        hits += [f"{name} {form} in {source}" for name, form, needle in wanted if needle in data]
    return list(dict.fromkeys(hits))


def forms(secret: str) -> dict[bytes, str]:
    """The forms in which a secret may appear in a text, and their names.

    An HTTP basic pair is base64 of something longer, and so is an API key.
    """
    assert len(secret) >= _SHORTEST, f"{secret!r} is too short to be looked for"
    spelled = {
        "as it is": secret,
        "in JSON": json.dumps(secret)[1:-1],
        "quoted for a URL": quote(secret, safe=""),
        "quoted for a path": quote(secret),
        "quoted for a form": quote_plus(secret),
    }
    made: dict[bytes, str] = {}
    for form, text in spelled.items():
        made.setdefault(text.encode(), form)
        for offset in range(3):
            inside = _inside(text.encode(), offset)
            made.setdefault(inside, f"{form}, in base64")
            made.setdefault(inside.translate(_URLSAFE), f"{form}, in base64url")
    return made


_URLSAFE = bytes.maketrans(b"+/", b"-_")


def _inside(data: bytes, offset: int) -> bytes:
    """What base64 of any text has in it where this data stands there, so many bytes after a multiple of three."""
    encoded = base64.b64encode(b"\0" * offset + data)
    # Characters that depend on what stands before or after are left out.
    return encoded[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]


def _parts(secret: str) -> Iterator[str]:
    lines = secret.strip().splitlines()
    if len(lines) == 1:
        yield lines[0]
    else:
        yield from (line for line in lines if len(line) >= _SHORTEST and not line.startswith("-----"))


def shown_by(error: BaseException) -> str:
    """An error and its traceback with all locals, but those of tests, which hold the secrets themselves.

    As Python renders them, and as Rich does, which shortens texts and looks into objects.
    """
    hits = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    frames = [part for part in hits.split('  File "') if "/tests/" not in part.partition('"')[0]]
    # Undrawn: most of the time goes into the colours of the source text.
    rich = Traceback.extract(type(error), error, error.__traceback__, show_locals=True)
    for stack in rich.stacks:
        frames.append(f"{stack.exc_type} {stack.exc_value} ")
        for frame in stack.frames:
            if "/tests/" not in frame.filename:
                frames += (f"{name}={node} " for name, node in (frame.locals or {}).items())
    return f"{error} {error!r} " + "".join(frames[1:])
