"""The runs whose ends are reported: which are not over, and which ends are settled. No network, no clock.

A run is followed from its birth, because a list by its end misses those that are reported late. New runs are listed by
their creation, from :attr:`FeedState.since` on; what is listed again is recognised by its name, or by a fingerprint of
it once its end is settled. A run's creation may move back to the start that its executor reports, never forward: so one
that was created before ``since`` cannot be listed again, and its fingerprint is dropped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.arguments import CLOCK_DIFFERENCE
from airflow_provider_flyte.client.run_key import is_run_name

if TYPE_CHECKING:
    from airflow_provider_flyte.client.flows.runs_by_creation import RunRow

OVERLAP = CLOCK_DIFFERENCE * 1_000_000
"""Microseconds by which lists go back before the moment of the last one."""

LARGEST = 60_000
"""Bytes of the state as JSON. Airflow warns of more than 65,536 (``[state_store] max_value_storage_bytes``)."""

_LARGEST_SETTLED = 20_000
"""Bytes of them that fingerprints take where names want more than the rest."""

VERSION = 1
_FINGERPRINT = 10
"""Characters, of 6 bits each: among 6,000 fingerprints one in 10**14 new runs is taken for another."""

_ENVELOPE = 200
"""Bytes of the rest of the state, at most."""


class FeedState:
    """Runs that are followed, and the moment from which new ones are listed.

    Times are microseconds since the epoch.

    :param since: runs that were created before it are known, or over.
    :param began: when somebody began to watch: what has ended before is not reported. 0: whatever was created since
        ``since`` is.
    """

    def __init__(self, since: int, began: int = 0) -> None:
        self.since = since
        self.began = began
        self.open: dict[str, int] = {}
        """Runs whose end is not settled, by name, and when each was created; those first that were found first."""

        self._read: Collection[str] = frozenset()
        """Those that were read from a state, which does not have their creation."""

        self.saved_at = 0
        """When that state was saved."""

        self.reported: set[str] = set()
        """Those of them whose end was reported by this process."""

        self._settled: dict[str, int] = {}
        """Fingerprints of the others, and the latest moment at which each can have been created."""

    # -- what lists show

    def new(self, rows: Iterable[RunRow]) -> list[RunRow]:
        """The runs among these that were not known; from now on they are open.

        Of them, those are left out and settled which had ended when somebody began to watch.
        """
        found = []
        for row in rows:
            if row.name in self.open:
                self.open[row.name] = min(row.created_at, self.open[row.name])
            elif fingerprint(row.name) not in self._settled:
                self.open[row.name] = row.created_at
                if self.began and row.ended_at is not None and row.ended_at < self.began:
                    self.settle(row.name)
                else:
                    found.append(row)
        return found

    def listed(self, at: int) -> None:
        """Note that all runs were listed which there were since ``since``, and all that were not over.

        :param at: when the list was begun.
        """
        self.began = 0
        self.since = max(self.since, at - OVERLAP)
        for mark in [mark for mark, created in self._settled.items() if created < self.since]:
            del self._settled[mark]

    # -- what becomes of a run

    def settle(self, name: str) -> None:
        """Note that a run's end need not be reported, or not again."""
        self.reported.discard(name)
        created = self.open.pop(name, None)
        if created is not None:
            # Until all runs have been listed, whenever it was created: an answer that is under way may show it as not
            # over.
            self._settled[fingerprint(name)] = created

    def forget(self, name: str) -> None:
        """Note that Flyte has no such run any more; one that appears again is new."""
        self.reported.discard(name)
        self.open.pop(name, None)

    # -- to keep it

    def to_json(self, now: int) -> dict[str, Any]:
        """The state as JSON of at most :data:`LARGEST` bytes.

        Where the names of the open runs do not fit, those that were found last are left out, and ``since`` goes back
        before the first of their creations: they are listed again. Names that were read from a state stay; they have
        fitted before. Where fingerprints do not fit, the last are kept, and ends of the others are reported again by
        who goes on from this state.

        :param now: this moment.
        """
        room = LARGEST - _ENVELOPE
        names, since = [name for name in self.open if name in self._read], self.since
        left = room - sum(map(_bytes_of, names))
        settled = min(len(self._settled) * _FINGERPRINT, _LARGEST_SETTLED, max(left, 0))
        left -= settled
        for name, created in self.open.items():
            if name in self._read:
                continue
            left -= _bytes_of(name)
            if left >= 0:
                names.append(name)
            else:
                # It may still move back to the start that its executor reports.
                since = min(since, created - OVERLAP)
        most = (settled + max(left, 0)) // _FINGERPRINT
        last = list(islice(reversed(self._settled), most))
        return {
            "version": VERSION,
            "saved_at": now,
            "since": since,
            "began": self.began,
            "open": names,
            "settled": "".join(reversed(last)),
        }

    @classmethod
    def from_json(cls, value: object) -> FeedState:
        """Read a state.

        :raises ValueError: with what is wrong, for anything that :meth:`to_json` of this version has not written.
        """
        if not isinstance(value, Mapping):
            raise ValueError(f"it is {type(value).__name__}, not a mapping")
        if value.get("version") != VERSION:
            raise ValueError(f"it has version {value.get('version')!r}, this provider reads {VERSION}")
        saved_at, since, began = (value.get(name) for name in ("saved_at", "since", "began"))
        names, settled = value.get("open"), value.get("settled")
        if not (isinstance(saved_at, int) and isinstance(since, int) and isinstance(began, int)):
            raise ValueError("a time in it is no number")
        if not isinstance(names, list) or not all(isinstance(name, str) and is_run_name(name) for name in names):
            raise ValueError("'open' in it is no list of run names")
        if not isinstance(settled, str) or len(settled) % _FINGERPRINT:
            raise ValueError("'settled' in it is no text of fingerprints")
        state = cls(since, began)
        # When each was created is not in it, but no later than it was saved by a clock that is wrong by so much.
        created = saved_at + OVERLAP
        state.open = dict.fromkeys(names, created)
        state._read = frozenset(names)
        state.saved_at = saved_at
        marks = (settled[at : at + _FINGERPRINT] for at in range(0, len(settled), _FINGERPRINT))
        state._settled = dict.fromkeys(marks, created)
        return state


def newest(values: Collection[object]) -> tuple[FeedState | None, list[str]]:
    """The state that was saved last among those of several assets, and why others cannot be read.

    :param values: what is kept for each, None where nothing is.
    """
    found: list[FeedState] = []
    problems = []
    for value in values:
        try:
            if value is not None:
                found.append(FeedState.from_json(value))
        except ValueError as error:
            problems.append(str(error))
    return max(found, key=lambda state: state.saved_at, default=None), problems


def _bytes_of(name: str) -> int:
    """With its quotes, a comma and a space."""
    return len(name) + 4


def fingerprint(name: str) -> str:
    """A short mark of a run's name."""
    digest = hashlib.blake2b(name.encode(), digest_size=9).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_FINGERPRINT]
