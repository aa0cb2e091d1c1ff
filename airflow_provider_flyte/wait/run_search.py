"""A task's search for its run: on a worker, until the run has a name to wait for; in the triggerer, as an event.

What is looked for, and where, is decided in ``client/flows/run_search.py``; what trouble and a closed window mean, in
``client/verdict.py``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.arguments import NO_SINCE, check_window, label_values, moment_in_microseconds
from airflow_provider_flyte.client.arguments import choice, printable
from airflow_provider_flyte.client.errors import ConfigError, FlyteError
from airflow_provider_flyte.client.flows.run_search import FIRST, NEWEST, RunSearch, Sought
from airflow_provider_flyte.client.flows.runs_by_creation import RunRow
from airflow_provider_flyte.client.moments import time_of
from airflow_provider_flyte.client.phase import phase_name
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.client.verdict import (
    NOTIFIED_AFTER,
    Absent,
    Outcome,
    Verdict,
    WaitRules,
    WaitState,
    decide,
    observe,
    trouble_over,
)
from airflow_provider_flyte.client.watch.poller import as_trouble
from airflow_provider_flyte.exceptions import FlyteRunMissing, FlyteRunTimeout, FlyteUnreachable, FlyteWaitBroken
from airflow_provider_flyte.wait.event import Ending, RunEvent
from airflow_provider_flyte.wait.run_wait import Advice, RunWait, trouble_of

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, RunWatcher
    from airflow_provider_flyte.task_log import TaskLog

LOGGED_EVERY = 1800.0
"""Seconds between two lines about a run that is not there yet."""


def sought(search: Mapping[str, Any], began: float) -> Sought:
    """What is looked for, of the arguments of a sensor or a trigger.

    :param search: ``task_name``, ``since``, ``until``, ``which``, ``labels``, and ``at`` where it is settled.
    :param began: when the task began to look, in seconds since the epoch.
    :raises ConfigError: naming the argument and what to give.
    """
    task_name, at = search.get("task_name"), search.get("at") or began
    if not isinstance(task_name, str) or not task_name.strip():
        raise ConfigError(f"task_name is {task_name!r}; give the name of a Flyte task, such as 'etl.load'.")
    since, until = (moment_in_microseconds(name, search.get(name), at) for name in ("since", "until"))
    if since is None:
        raise ConfigError(NO_SINCE)
    check_window(since, until)
    return Sought(
        printable("task_name", task_name),
        since,
        until,
        choice("which", search.get("which", FIRST), (FIRST, NEWEST)),
        int(at * 1_000_000),
        label_values(search.get("labels")) or {},
    )


def as_arguments(looked_for: Sought) -> dict[str, Any]:
    """What :func:`sought` reads as the same again, in JSON types."""
    until = looked_for.until
    return {
        "task_name": looked_for.task_name,
        "since": time_of(looked_for.since).isoformat(),
        "until": None if until is None else time_of(until).isoformat(),
        "which": looked_for.which,
        # Pairs, because some versions of Airflow give a dict back in its wrapping.
        "labels": [list(pair) for pair in sorted(looked_for.labels.items())],
        "at": looked_for.at / 1_000_000,
    }


class _Progress:
    """Logs what is looked for, that it is not there yet, and that it was found.

    :param search: the search.
    :param log: the task's log.
    :param now: seconds since the epoch.
    """

    def __init__(self, search: RunSearch, log: TaskLog, now: Callable[[], float]) -> None:
        self._search = search
        self._log = log
        self._now = now
        self._logged_at: float | None = None

    def begin(self) -> None:
        """Log what is looked for, once."""
        if self._logged_at is None:
            self._logged_at = self._now()
            self._log.info("Looking for %s, in %s.", str(self._search.sought), str(self._search.where))

    def still(self) -> None:
        """Log now and then what is there instead."""
        if self._logged_at is not None and self._now() - self._logged_at >= LOGGED_EVERY:
            self._logged_at = self._now()
            self._log.info("Still looking for %s. %s", str(self._search.sought), self._search.what_is_there())

    def found(self, row: RunRow) -> None:
        """Log which run it is."""
        created = time_of(row.created_at).isoformat()
        self._log.info(
            "Found %s: Flyte run %s, created %s, %s.",
            str(self._search.sought),
            str(row.key),
            created,
            phase_name(row.phase),
        )


class SearchedRun(RunWait):
    """One run in one worker process, which is looked for until it is found. From then on it is as any other.

    :param client: the client to ask with.
    :param where: the project and domain.
    :param looked_for: what is looked for.
    :param on_found: called with the run and its page.
    :param waiting: the further arguments of :class:`RunWait`.
    """

    def __init__(
        self,
        client: FlyteClient,
        where: ProjectDomain,
        looked_for: Sought,
        *,
        on_found: Callable[[list[RunKey], str], None],
        **waiting: Any,
    ) -> None:
        super().__init__(client, where.run(""), **waiting)
        self._search = RunSearch(where, looked_for, lambda: int(self._now() * 1_000_000))
        self._state = _beginning(looked_for, waiting["began"])
        self._on_found = on_found
        self._progress = _Progress(self._search, self._log, self._now)

    @property
    def found(self) -> bool:
        """Whether the run has its name."""
        return bool(self.key.name)

    @property
    def url(self) -> str:
        """The run's page in the console; '' while it is looked for."""
        return super().url if self.found else ""

    def observe(self, retry_for: float | None = None) -> Verdict:
        """Look once, and ask about the run where it is found; see :meth:`RunWait.observe`."""
        if not self.found:
            self._look(retry_for)
        return super().observe(retry_for) if self.found else self.verdict

    def _look(self, retry_for: float | None) -> None:
        self._progress.begin()
        began = self._now()
        try:
            row = self.client.execute(self._search.look(self.client.config.org), retry_for=retry_for)
        except FlyteError as error:
            self.note(trouble_of(error), began)
        else:
            self._state = _looked(self._state, self._search, self._now())
            if row is not None:
                self._progress.found(row)
                self.key, self._state = row.key, WaitState(absent_since=self._now())
                self._on_found([row.key], self.url)
                return
            self._progress.still()
        self._trouble_log.log(
            self.trouble, f" about runs of task {self._search.sought.task_name}", over=self.verdict.over
        )

    # -- how it ended without a run

    def _not_there(self) -> FlyteRunMissing:
        """The exception for a window that has closed without the run."""
        if self.found:
            return super()._not_there()
        return FlyteRunMissing(
            f"There is no Flyte run as it is looked for: {self._search.sought}, in {self._search.where}. "
            f"{self._search.what_is_there()} The window has closed, so none can come. Check task_name, labels, project "
            "and domain, and since and until by Flyte's clock; let the window begin some minutes earlier where no "
            "other run is created then.",
            **self._fields(),
        )

    def unreachable(self, why: str) -> FlyteUnreachable:
        """The exception for a search that had no answer."""
        if self.found:
            return super().unreachable(why)
        return FlyteUnreachable(f"It is not known whether Flyte has {self._search.sought}. {why}", **self._fields())

    def timed_out(self, timeout: float) -> FlyteRunTimeout:
        """The exception for the sensor's own ``timeout``."""
        if self.found:
            return super().timed_out(timeout)
        there = f"Flyte gave no answer ({self.trouble})." if self.trouble else self._search.what_is_there()
        return FlyteRunTimeout(
            f"The sensor's timeout of {timeout:g} s has passed without {self._search.sought}, in {self._search.where}. "
            f"{there} Check task_name, labels and the window; raise timeout if the run is launched later.",
            **self._fields(),
        )

    def broken(self, why: str) -> FlyteWaitBroken:
        """The exception for a trigger that ended without an answer."""
        if self.found:
            return super().broken(why)
        return FlyteWaitBroken(
            f"The trigger that looked for {self._search.sought} failed: {why or 'Airflow gives no reason'}. Look at "
            "the triggerer's log; a retry looks again.",
            **self._fields(),
        )


def advise_searcher(which: str, verdict: Verdict) -> Advice:
    """The advice for a task whose run was looked for."""
    other = (
        "launch the Flyte task anew, then clear this task"
        if which == NEWEST
        else "launch the Flyte task anew, give which='newest', and clear this task: which='first' finds this run again"
    )
    return Advice(
        True, f"The run is over, so the task is not retried. Look at {{url}}; to wait for another run, {other}."
    )


async def find_run(
    watcher: RunWatcher,
    looked_for: Sought,
    where: ProjectDomain,
    *,
    interval: float,
    rules: WaitRules,
    log: TaskLog,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]],
) -> RunEvent:
    """Look until the run is there, its window has closed or Flyte gives no answer; for a trigger.

    :param watcher: asks Flyte.
    :param looked_for: what is looked for.
    :param where: the project and domain.
    :param interval: maximum seconds between two looks, while few others look.
    :param rules: how long a closed window and trouble are tolerated.
    :param log: the task's log.
    :param now: seconds since the epoch.
    :param sleep: waits for so many seconds.
    """
    search = RunSearch(where, looked_for, lambda: int(now() * 1_000_000))
    progress, state, failures = _Progress(search, log, now), _beginning(looked_for, now()), 0
    progress.begin()
    watcher.asking.searches += 1
    try:
        while True:
            began = now()
            try:
                row = await watcher.asking.ask(lambda client: search.look(client.config.org))
            except Exception as error:
                failures += 1
                state, row = observe(state, as_trouble(error), began), None
            else:
                if failures >= NOTIFIED_AFTER and state.trouble_since is not None:
                    log.warning("Flyte answers again after %.0f s.", now() - state.trouble_since)
                failures, state = 0, _looked(state, search, now())
            if row is not None:
                progress.found(row)
                return RunEvent(Ending.FOUND, row.name, row.phase)
            verdict = decide(state, now(), rules)
            if verdict.over:
                missing = int(verdict.outcome is Outcome.MISSING)
                return RunEvent(Ending(verdict.outcome.value), "", message=verdict.message, missing=missing)
            if state.trouble is None:
                progress.still()
            elif failures == NOTIFIED_AFTER:
                log.warning("No answer from Flyte, still waiting: %s", state.trouble.message)
            await sleep(watcher.asking.pause_of_search(interval))
    finally:
        watcher.asking.searches -= 1


def _beginning(looked_for: Sought, began: float) -> WaitState:
    """The state of a search. It is missing since its window has closed, whenever this task began to look."""
    return WaitState(absent_since=began if looked_for.closed_at is None else looked_for.closed_at)


def _looked(state: WaitState, search: RunSearch, now: float) -> WaitState:
    return observe(state, Absent(), now) if search.closed else trouble_over(state)
