"""Several runs of one task on a worker: one poll shows which are over, and only their details are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.errors import FlyteError
from airflow_provider_flyte.client.outside import MOST_NAMED
from airflow_provider_flyte.client.verdict import Absent, Verdict, decide_together, describe
from airflow_provider_flyte.task_log import TaskLog, TroubleLog
from airflow_provider_flyte.wait.run_wait import DETAILS_LAG, PAUSE, RunWait, trouble_in, trouble_of

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient
    from airflow_provider_flyte.client.run_key import RunKey

_TIMELINES = 3
"""How many runs have their timeline in the log."""


class SeveralRuns:
    """The runs of one task, read together.

    :param runs: the runs, at least one, all of one project and domain.
    :param any_one: one success is enough, instead of all.
    :param fail_fast: the first run that ends without success ends the wait.
    :param client: gives the client to ask with.
    :param log: the task's log.
    :param now: seconds since the epoch.
    :param sleep: how a pause is spent.
    """

    def __init__(
        self,
        runs: Sequence[RunWait],
        *,
        any_one: bool,
        fail_fast: bool,
        client: Callable[[], FlyteClient],
        log: TaskLog,
        now: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._runs = runs
        self._any_one = any_one
        self._fail_fast = fail_fast
        self._client = client
        self._log = log
        self._now = now
        self._sleep = sleep
        self._logged = ""
        self._ends_logged: set[RunKey] = set()
        self._trouble_log = TroubleLog(log)

    def observe(self, end: float) -> Verdict:
        """Poll Flyte once, read what is to be read of runs that are over, and decide.

        :param end: of the time for which transient failures are repeated, in seconds since the epoch.
        """
        left = [run for run in self._runs if not run.settled]
        self._poll(left, end)
        if self._together_now(run.verdict_without_details for run in self._runs).over:
            # Not before: a wait that is not over would read them again with each poke.
            self._read_details([run for run in left if run.lacks_details(run.verdict_without_details)], end)
            self._log_ends()
        verdict = self._together_now(run.verdict for run in self._runs)
        self._log_change(verdict)
        return verdict

    def read_ended(self) -> None:
        """Read the details of those runs that are over, of a wait that ends without the others."""
        self._read_details([run for run in self._runs if run.lacks_details(run.verdict_without_details)], self._now())
        self._log_ends()

    def _until(self, end: float) -> float:
        return max(0.0, end - self._now())

    def _together_now(self, verdicts: Iterable[Verdict]) -> Verdict:
        counts = Counter(verdict.outcome for verdict in verdicts)
        return Verdict(decide_together(counts, any_one=self._any_one, fail_fast=self._fail_fast))

    def _read_details(self, runs: list[RunWait], end: float) -> None:
        """Read the details of runs that are over, of some of which the error arrives a moment after the phase.

        :param end: of the time for which transient failures are repeated.
        """
        self._read_each(runs, end)
        lagging, until = [run for run in runs if run.lacks_details(run.verdict)], self._now() + DETAILS_LAG
        while lagging and self._now() < until:
            self._sleep(PAUSE)
            for run in lagging:
                run.read(0.0)
            lagging = [run for run in lagging if run.lacks_details(run.verdict)]

    def _read_each(self, runs: Sequence[RunWait], end: float) -> None:
        """Read runs one by one; one budget for all of them, and no more calls once trouble has spent it.

        :param end: of the time for which transient failures are repeated.
        """
        for number, run in enumerate(runs):
            run.read(self._until(end))
            # A refusal at once concerns this run alone, and costs no time.
            if run.trouble and not self._until(end):
                for other in runs[number + 1 :]:
                    run.share_trouble(other)
                return

    def _log_ends(self) -> None:
        """Log how runs ended, first those that did not succeed; of some of these also what happened when."""
        # Trouble is logged once for all of them.
        ended = [run for run in self._runs if run.is_over and not run.trouble and run.key not in self._ends_logged]
        for run in sorted(ended, key=lambda run: run.is_good):
            logged = len(self._ends_logged)
            if logged < MOST_NAMED:
                run.log_change(run.verdict, timeline=not run.is_good and logged < _TIMELINES)
            elif logged == MOST_NAMED:
                self._log.info("The ends of further runs are not logged one by one; XCom has their details.")
            self._ends_logged.add(run.key)

    def _poll(self, runs: Sequence[RunWait], end: float) -> None:
        """Note the phase of each run by ListRuns; where it is refused, ask for each by itself."""
        from airflow_provider_flyte.client.flows.calls import NAMES_A_CALL, chunks
        from airflow_provider_flyte.client.flows.named_runs import NameFilterRefused, list_by_name

        for some in chunks(runs, NAMES_A_CALL):
            client = self._client()
            key, names = some[0].key, [run.key.name for run in some]
            began = self._now()
            flow = list_by_name(key.project, key.domain, names, client.config.org)
            try:
                found = client.execute(flow, retry_for=self._until(end))
            except NameFilterRefused:
                self._read_each(runs, end)
                return
            except FlyteError as error:
                for run in some:
                    if not run.is_over:
                        run.note(trouble_of(error), began)
            else:
                for run in some:
                    if run.key in found:
                        run.listed(found[run.key])
                    elif not run.is_over:
                        run.note(Absent())

    def _log_change(self, verdict: Verdict) -> None:
        """Log changes of the whole, not polls and not each run."""
        if self._trouble_log.log(trouble_in(self._runs), "", over=verdict.over):
            return
        phases = Counter(describe(run.verdict.phase) for run in self._runs)
        now = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
        if now != self._logged:
            self._log.info("Of %d Flyte runs: %s.", len(self._runs), now)
        self._logged = now
