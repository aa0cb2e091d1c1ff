"""The search for a run by what it is and not by its name: the first run of a task that was created in a window of time,
or the newest.

No list knows labels: with them each run of the window costs a call, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from airflow_provider_flyte.client.arguments import CLOCK_DIFFERENCE
from airflow_provider_flyte.client.flows.calls import PAGE_SIZE, Flow
from airflow_provider_flyte.client.flows.named_runs import read_run
from airflow_provider_flyte.client.flows.runs_by_creation import Listing, Page, RunRow, has_labels, row_of
from airflow_provider_flyte.client.moments import now, time_of
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.run_key import ProjectDomain

FIRST, NEWEST = "first", "newest"

MOST_READ = 200
"""Of how many runs the labels are read in one look; the next look goes on with the others."""

MOST_PAGES = 100
"""How many pages are read in one look."""

_FEW = 20
"""Runs on a page where any run in the window is the one."""

_OVERLAP = CLOCK_DIFFERENCE * 1_000_000


@dataclass(frozen=True)
class Sought:
    """What is looked for. Times are microseconds since the epoch.

    :param task_name: the task.
    :param since: the window's beginning.
    :param until: its end: runs that were created before it are in the window; None: it has none.
    :param which: :data:`FIRST`, the run that was created first; or :data:`NEWEST`, the newest of those that were
        created before ``at``, or the first one after it where there is none.
    :param at: when the task began to look. It stays the same in all looks of a try, so that each of them finds the same
        run, in whichever process.
    :param labels: the labels that the run has, among others.
    """

    task_name: str
    since: int
    until: int | None
    which: str
    at: int
    labels: Mapping[str, str] = field(default_factory=dict)

    def has(self, created_at: int) -> bool:
        """Whether a run that was created then is in the window."""
        return self.since <= created_at and (self.until is None or created_at < self.until)

    @property
    def closed_at(self) -> float | None:
        """From when on the window gets no more runs, whatever the clocks differ, in seconds since the epoch."""
        return None if self.until is None else self.until / 1_000_000 + CLOCK_DIFFERENCE

    def __str__(self) -> str:
        window = (
            f"since {_moment(self.since)}"
            if self.until is None
            else f"from {_moment(self.since)} to {_moment(self.until)}"
        )
        labels = ", ".join(f"{name}={value}" for name, value in sorted(self.labels.items()))
        return f"the {self.which} run of Flyte task {self.task_name} created {window}" + (
            f" with the labels {one_line(labels, LONGEST_NAME)}" if labels else ""
        )


class RunSearch:
    """A search, which remembers what it has looked at.

    :param where: the project and domain.
    :param sought: what is looked for.
    :param now: microseconds since the epoch.
    """

    def __init__(self, where: ProjectDomain, sought: Sought, now: Callable[[], int] = now) -> None:
        self.where = where
        self.sought = sought
        self.closed = False
        """Whether the window got no more runs when it was looked at last."""

        self._now = now
        self._since = sought.since
        self._others: dict[str, int] = {}
        """Runs in the window that have other labels, and when each was created."""

        self._in_window = 0
        self._last: RunRow | None = None
        """The newest run in the window that has other labels."""

        self._before: RunRow | None = None
        """The newest run that was created shortly before the window."""

        self._unread = False
        """Whether the last look left runs out."""

    def look(self, org: str) -> Flow[RunRow | None]:
        """Look for the run; None where it is not there yet."""
        began, self._unread = self._now(), False
        reads, pages = MOST_READ, MOST_PAGES
        for first_page in self._listings():
            listing: Listing | None = first_page
            while listing is not None and not self._unread:
                page: Page = yield listing.call(org)
                for row in page.rows:
                    if not self._fits(row):
                        continue
                    if self.sought.labels and not reads:
                        self._unread = True
                        break
                    if not self.sought.labels or (yield from self._has_labels(row, org)):
                        return row
                    reads -= 1
                listing, pages = page.following, pages - 1
                if listing is not None and pages <= 0 and not self._unread:
                    self._unread = True
                    self._go_on_at(listing, began)
        if not self._unread:
            if self._since == self.sought.since:
                yield from self._look_before(org)
            self._finish(began)
        return None

    def _go_on_at(self, listing: Listing, began: int) -> None:
        """Begin the next look at a page, as far as no run can appear before it."""
        if not listing.newest_first:
            self._since = max(self._since, min(listing.since, began - _OVERLAP))

    def _look_before(self, org: str) -> Flow[None]:
        """Note the last run before the window: one call, however many were created there."""
        listing = self._listing(max(1, self.sought.since - _OVERLAP), self.sought.since, newest_first=True)
        page: Page = yield replace(listing, limit=1).call(org)
        rows = (row for row in page.rows if self._is_of_task(row) and row.created_at < self.sought.since)
        self._before = next(rows, self._before)

    def _listings(self) -> Iterator[Listing]:
        at, until = self.sought.at, self.sought.until or 0
        if self.sought.which == FIRST:
            yield self._listing(self._since, until)
            return
        if at > self._since:
            yield self._listing(self._since, min(at, until or at), newest_first=True)
        if not until or at < until:
            yield self._listing(max(at, self._since), until)

    def _listing(self, since: int, until: int, *, newest_first: bool = False) -> Listing:
        limit = PAGE_SIZE if self.sought.labels else _FEW
        return Listing(self.where, (self.sought.task_name,), since, limit=limit, until=until, newest_first=newest_first)

    def _fits(self, row: RunRow) -> bool:
        """Whether it may be the run; a backend may list runs that were not asked for."""
        return self._is_of_task(row) and row.name not in self._others and self.sought.has(row.created_at)

    def _is_of_task(self, row: RunRow) -> bool:
        return row.task_name == one_line(self.sought.task_name, LONGEST_NAME)

    def _has_labels(self, row: RunRow, org: str) -> Flow[bool]:
        labels = row.labels
        if not labels:
            details = yield from read_run(row.key, org)
            if details is None:
                # It is gone since.
                return False
            labels = row_of(details.action, details.run_spec.labels.values).labels
        if has_labels(labels, self.sought.labels):
            return True
        self._others[row.name] = row.created_at
        self._in_window += 1
        if self._last is None or self._last.created_at < row.created_at:
            self._last = row
        return False

    def _finish(self, began: int) -> None:
        """Note that all runs were looked at which were there at a moment."""
        self.closed = self.sought.closed_at is not None and began >= self.sought.closed_at * 1_000_000
        # A run may appear late in lists, by a clock that differs.
        self._since = max(self._since, began - _OVERLAP)
        self._others = {name: created for name, created in self._others.items() if created >= self._since}

    def what_is_there(self) -> str:
        """What was found instead, as sentences."""
        if self._last is None:
            there = "No run of this task was created in that window."
        else:
            count = "1 run of this task was" if self._in_window == 1 else f"{self._in_window} runs of this task were"
            there = (
                f"{count} created in that window, none with these labels; the newest is {self._last.name}, created "
                f"{_moment(self._last.created_at)}."
            )
        if self._unread:
            there += (
                f" There are more. The labels of {MOST_READ} runs are read at a time; in reschedule mode each poke "
                "begins anew, so give a shorter window there."
            )
        if self._before is not None:
            before = f"{self._before.name}, created {_moment(self._before.created_at)}"
            there += f" Shortly before the window there is {before}."
        return there


def _moment(microseconds: int) -> str:
    return time_of(microseconds).isoformat(timespec="seconds").replace("+00:00", "Z")
