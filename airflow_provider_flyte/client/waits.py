"""What is waited for: the waits of one project and domain, what is known of them, and what to ask next. No network.

A wait costs an entry and a future. An answer costs as much as it has news, not as much as there are waits: of what is
known to go on, a question that shows only ends has nothing to say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.wait_results import WaitResults
from airflow_provider_flyte.client.waiting import (
    Look,
    Seen,
    Trouble,
    Verdict,
    WaitState,
    decide,
    heard,
    observe,
)

PROOF_LASTS = 600.0
"""Seconds for which a run that was seen is taken to exist: the terminal-only question would not tell."""


@dataclass(eq=False, slots=True)
class Wait:
    """One wait for one run."""

    key: RunKey
    state: WaitState
    results: WaitResults
    end: Verdict | BaseException | None = None


class PlaceWaits:
    """The waits for runs of one project and domain."""

    def __init__(self) -> None:
        self._waits: dict[str, tuple[Wait, ...]] = {}
        self._unproven: dict[str, None] = {}
        """Names of runs that have not been seen, or not for long: asked for without the phase filter."""

        self._proofs: deque[tuple[float, list[str]]] = deque()
        self._troubled: set[str] = set()
        self.new: set[str] = set()
        """Names for which a wait began since the last question."""

    def __len__(self) -> int:
        return sum(map(len, self._waits.values()))

    def __bool__(self) -> bool:
        return bool(self._waits)

    def __iter__(self) -> Iterator[Wait]:
        for waits in list(self._waits.values()):
            yield from waits

    def add(self, wait: Wait) -> None:
        name = wait.key.name
        self._waits[name] = (*self._waits.get(name, ()), wait)
        self._unproven[name] = None
        self.new.add(name)

    def discard(self, wait: Wait) -> None:
        name = wait.key.name
        left = tuple(each for each in self._waits.get(name, ()) if each is not wait)
        if left:
            self._waits[name] = left
        elif name in self._waits:
            del self._waits[name]
            self._unproven.pop(name, None)
            self._troubled.discard(name)
            self.new.discard(name)

    def questions(self, now: float, *, only_new: bool) -> tuple[list[str], list[str]]:
        """Whom to ask for now: the names to prove, and those of which only the end is of interest."""
        if only_new:
            names = list(self.new)
            self.new.clear()
            return names, []
        self.new.clear()
        while self._proofs and now - self._proofs[0][0] >= PROOF_LASTS:
            self._unproven.update(dict.fromkeys(name for name in self._proofs.popleft()[1] if name in self._waits))
        proven = [name for name in self._waits if name not in self._unproven] if self._unproven else list(self._waits)
        return list(self._unproven), proven

    def has(self, name: str) -> bool:
        return name in self._waits

    def names(self) -> list[str]:
        return list(self._waits)

    def troubled(self, names: Iterable[str]) -> list[str]:
        """Those of these names whose waits are in trouble."""
        return [name for name in names if name in self._troubled] if self._troubled else []

    def saw(self, name: str, look: Look | None, now: float) -> bool:
        """Note what was seen of a run; None: an honest answer had no news of it. True when a wait was told of it."""
        waits = self._waits.get(name, ())
        if isinstance(look, Trouble):
            self._troubled.add(name)
        else:
            self._troubled.discard(name)
        if isinstance(look, Seen) and name in self._unproven:
            del self._unproven[name]
            if not self._proofs or self._proofs[-1][0] != now:
                self._proofs.append((now, []))
            self._proofs[-1][1].append(name)
        told = False
        for wait in waits:
            told |= self._note(wait, look, now)
            verdict = decide(wait.state, now, wait.results.rules)
            if verdict.over:
                wait.results.finish(wait, verdict)
                self.discard(wait)
                told = True
        return told

    @staticmethod
    def _note(wait: Wait, look: Look | None, now: float) -> bool:
        before = wait.state
        wait.state = heard(before) if look is None else observe(before, look, now)
        if isinstance(look, Trouble) and before.trouble is None:
            wait.results.tell(f"No answer from Flyte, still waiting: {look.message}")
            return True
        if before.trouble_since is not None and wait.state.trouble is None:
            wait.results.tell(f"Flyte answers again after {now - before.trouble_since:.0f} s.")
            return True
        return False

    def end_all(self, error: BaseException) -> None:
        for wait in self:
            wait.results.finish(wait, error)
        self._waits.clear()
        self._unproven.clear()
        self._troubled.clear()
        self.new.clear()
