"""The one run of a try: find out whether it exists, then attach, answer or launch.

What is to be done is decided in ``tries/decision.py``; here it is carried out and logged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_flyte.client.errors import (
    ConfigError,
    InputsError,
    InvalidArgumentError,
    LaunchUncertainError,
    NoSuchTaskError,
    NoSuchTriggerError,
    RpcError,
    RunHiddenError,
    UnimplementedError,
)
from airflow_provider_flyte.client.outside import first_names
from airflow_provider_flyte.client.phase import phase_name
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.exceptions import (
    FlyteArgumentError,
    FlyteConfigurationError,
    FlyteLaunchFailed,
    FlyteLaunchUncertain,
    FlyteRunError,
    FlyteRunTaken,
    FlyteTaskKilled,
    FlyteTaskMissing,
    FlyteUnreachable,
)
from airflow_provider_flyte.task_log import TaskLog
from airflow_provider_flyte.tries.abort import abort_own
from airflow_provider_flyte.tries.decision import Answer, Attach, Refuse, Start, decide, launched_later
from airflow_provider_flyte.tries.identity import Found, Sameness, Try, launch_annotations

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient, FlyteConfig
    from airflow_provider_flyte.client.flows.launch_request import Launch
    from airflow_provider_flyte.wait.resumption import Settled

_RACES = 3
"""How often somebody else may launch the run between our read and our launch."""


@dataclass(frozen=True)
class TryRun:
    """The run that a try has."""

    key: RunKey
    url: str
    ours: bool
    """Whether this task instance launched it, in whichever try; only such a run is ever aborted."""

    endpoint: str | None
    """Where Flyte was when this was settled, ``host:port``; None: not known."""

    new: bool = False
    """Whether it was launched just now."""


class _OvertakenError(Exception):
    """A run has come into being since it was decided to launch one."""


def settled_run(config: FlyteConfig, settled: Settled) -> TryRun:
    """The run that a try has had since before it deferred.

    :param config: the connection's.
    :param settled: what the try goes by.
    """
    key = config.key(settled.run_names[0], settled.project, settled.domain)
    return TryRun(key, config.run_url(key), settled.ours, settled.endpoint)


class TryRuns:
    """Finds or launches the run of a try.

    :param client: makes the calls.
    :param trying: the task instance and its try.
    :param wanted: what to launch.
    :param retry_as: how a try that launches anew is related to the run before: ``new``, ``rerun`` or ``recover``.
    :param force_rerun_actions: the actions that such a one with ``recover`` is to run again although they succeeded.
    :param about_templates: what to add where inputs have texts for other things, or other things for texts.
    :param retry_for: seconds for which trouble is tolerated; None: the client's budget.
    :param since: when the first try can have launched, for a retry that has to search for its runs; None: it does not.
    :param waits: whether the task waits for the run.
    :param before_create: called before a run is launched, and may take seconds; what it raises keeps it from being
        launched.
    :param at_create: called last of all before CreateRun; takes no time, and keeps a run from being launched alike.
    :param log: the task's log.
    """

    def __init__(
        self,
        client: FlyteClient,
        trying: Try,
        wanted: Launch,
        *,
        retry_as: str,
        force_rerun_actions: tuple[str, ...] = (),
        about_templates: str,
        retry_for: float | None,
        since: datetime | None = None,
        waits: bool = True,
        before_create: Callable[[], None],
        at_create: Callable[[], None] = lambda: None,
        log: TaskLog,
    ) -> None:
        self._client = client
        self._trying = trying
        self._wanted = wanted
        self._retry_as = retry_as
        self._force_rerun_actions = force_rerun_actions
        self._about_templates = about_templates
        self._retry_for = retry_for
        self._since = since
        self._waits = waits
        self._real_names: dict[str, str] = {}
        """Of runs of earlier tries that have another name than today's ``run_name`` would have given them."""
        self._before_create = before_create
        self._at_create = at_create
        self._log = log

    @property
    def key(self) -> RunKey:
        """The run that this try has, or is to have."""
        return self._key(self._trying.resumes or self._trying.name)

    def get(self) -> TryRun:
        """Find the run of this try, or launch it.

        :raises FlyteRunTaken: when the name belongs to somebody else's run.
        :raises FlyteUnreachable: when it is not known which runs exist; then nothing is launched.
        :raises FlyteLaunchFailed: when nothing was launched, and a retry may help.
        :raises FlyteLaunchUncertain: when it is not known whether something was launched.
        :raises FlyteArgumentError: when the task, as it is written, cannot be launched.
        """
        try:
            return self._get()
        except InputsError as error:
            about = self._about_templates if error.mixes_texts else ""
            raise FlyteArgumentError(f"{error}{about}") from error
        except (NoSuchTaskError, NoSuchTriggerError) as error:
            raise FlyteTaskMissing(str(error)) from error
        except RunHiddenError as error:
            another = "run_name" if self._trying.run_name else "run name prefix in the Flyte connection"
            text = f"Flyte run {self.key} was not launched. {error} Set another {another}."
            raise self._error(FlyteLaunchFailed, self.key, text) from error
        except LaunchUncertainError as error:
            raise self._error(
                FlyteLaunchUncertain,
                self.key,
                f"It is not known whether Flyte run {self.key} was launched. It may still be running; a retry finds "
                f"it. {error}",
            ) from error
        except ConfigError as error:
            raise FlyteConfigurationError(str(error)) from error
        except RpcError as error:
            raise self._error(FlyteLaunchFailed, self.key, f"Flyte run {self.key} was not launched. {error}") from error

    def existing(self) -> TryRun | None:
        """The run that this try has already; None where it has none. Launch nothing."""
        decision = self._decide()
        return decision if isinstance(decision, TryRun) else None

    def _get(self) -> TryRun:
        for _ in range(_RACES):
            decision = self._decide()
            if isinstance(decision, TryRun):
                return decision
            if isinstance(decision, Refuse):
                raise self._error(FlyteRunTaken, self.key, decision.reason)
            try:
                run = self._launch(decision)
            except _OvertakenError:
                continue
            if run is not None:
                return run
        key = self._key(self._trying.name)
        text = f"Flyte run {key} was not launched: somebody else launches runs of this name and they are gone at once."
        raise self._error(FlyteLaunchFailed, key, text)

    def _decide(self) -> TryRun | Start | Refuse:
        """The run that exists, or what else to do."""
        found = self._find()
        decision = decide(self._trying, found)
        if isinstance(decision, (Attach, Answer)):
            return self._take(next(run for run in found if run.name == decision.name))
        if isinstance(decision, Start) and self._trying.number > 1 and not found:
            # Perhaps because they are elsewhere: a retry uses the connection as it is by then.
            self._log.info(
                "No earlier try of this task has a run in Flyte project %s, domain %s, so this try launches one. If "
                "the connection's host, organisation, project, domain or run name prefix was changed since, an earlier "
                "try's run may still be running by the old settings.",
                self.key.project,
                self.key.domain,
            )
        return decision

    def _check_before_create(self, start: Start) -> None:
        """Decide once more: somebody else, or an earlier try's process, may have launched since.

        Flyte is asked after Airflow, whose answer may take seconds: with it, another process of this try may launch.
        """
        self._before_create()
        found = self._find(again=True)
        if (later := launched_later(self._trying, found)) is not None:
            text = (
                f"Nothing is launched, because try {later.try_number} of this task has launched Flyte run "
                f"{self._key(later.name)}: Airflow has given this try up."
            )
            raise self._error(FlyteTaskKilled, self.key, text)
        again = decide(self._trying, found)
        if not isinstance(again, Start) or again.name != start.name or {*again.end_first} - {*start.end_first}:
            raise _OvertakenError
        self._at_create()

    def _find(self, *, again: bool = False) -> list[Found]:
        """The runs of the tries.

        :param again: right before CreateRun: those of later tries too, and by their names alone.
        """
        from airflow_provider_flyte.tries.lookup import find_tries

        keys = [self._key(name) for name in self._trying.names]
        try:
            found = self._client.execute(
                find_tries(self._trying, self._key, self._client.config.org, later=again), retry_for=self._retry_for
            )
            others = self._trying.number > 1 and not again
            if others and not any(run.owner == self._trying.task for run in found):
                found += self._under_other_names()
            return found
        except RpcError as error:
            raise self._error(
                FlyteUnreachable,
                keys[0],
                "Nothing is launched, because Flyte could not be asked whether a run of this task is running already "
                f"({first_names([key.name for key in keys])}). {error}",
            ) from error

    def _under_other_names(self) -> list[Found]:
        """The runs of earlier tries whose names are no longer known, each as if it had its try's name today.

        A ``run_name`` that renders differently each time hides them; their annotations do not.
        """
        from airflow_provider_flyte.tries.lookup import find_launched

        if self._trying.run_name is None or self._since is None:
            return []
        key, config = self.key, self._client.config
        flow = find_launched(
            self._trying.task, self._wanted.task_name, key.project, key.domain, config.org, self._since
        )
        try:
            launched = self._client.execute(flow, retry_for=self._retry_for)
        except (InvalidArgumentError, UnimplementedError) as error:
            self._log.warning(
                "Flyte has no run named %s or as in an earlier try, and does not list the runs of a task, so a run "
                "that an earlier try launched under another run_name is not found. Give the same run_name in each try. "
                "%s",
                self._trying.name,
                error,
            )
            return []
        found = []
        for run in launched:
            number = run.try_number
            other = self._trying.compare(run) is Sameness.OTHER
            if 1 <= number <= self._trying.number and not other:
                name = self._trying.name_of(number)
                self._real_names[name] = run.name
                found.append(replace(run, name=name))
                self._log.warning(
                    "Try %d of this task launched Flyte run %s, under another run_name than today's, %s. Give the same "
                    "run_name in each try.",
                    number,
                    run.name,
                    self._trying.run_name,
                )
        return found

    def _take(self, run: Found) -> TryRun:
        key = self._key(run.name)
        by = f"try {run.try_number} of this task" if run.owner else "somebody else than Airflow"
        waits = self._waits and not run.over
        consequence = "Nothing is launched; the task waits for this run." if waits else "Nothing is launched."
        self._log.info("Found Flyte run %s, launched by %s: %s. %s", key, by, phase_name(run.phase), consequence)
        config = self._client.config
        return TryRun(key, config.run_url(key), run.owner == self._trying.task, config.endpoint)

    def _launch(self, start: Start) -> TryRun | None:
        """The run that was launched; None when one of its name was created since our read."""
        from airflow_provider_flyte.client.flows.launch import create, prepare

        for name in start.others:
            self._log.warning(
                "Flyte run %s was launched by %s, but for another DAG run of this id: one that was deleted since, or "
                "one of another Airflow with the same run name prefix. It is still running, and this task leaves it "
                "alone; abort it in Flyte if nobody needs it.",
                self._key(name),
                self._trying.task,
            )
        for name in start.end_first:
            self._before_create()
            config, why = self._client.config, "the task was cleared and starts anew"
            aborted = self._client.execute(abort_own(config, self._key(name), config.endpoint, self._trying.task, why))
            self._log.info(
                "The task was cleared or its DAG run reset: the run that it had left running is aborted first. %s.",
                aborted,
            )
        # Known from now on, whatever interrupts the launch.
        self._trying = replace(self._trying, resumes=start.name)
        wanted = replace(
            self._wanted,
            run_name=start.name,
            annotations={**self._wanted.annotations, **launch_annotations(self._trying)},
        )
        if start.after and self._retry_as != "new":
            wanted = replace(
                wanted,
                related_to=self._key(start.after).name,
                relation=self._retry_as,
                force_rerun_actions=self._force_rerun_actions,
            )
        prepared = self._client.execute(prepare(self._client.config, wanted), retry_for=self._retry_for)
        launched = self._client.execute(
            create(prepared, before_create=lambda: self._check_before_create(start)), retry_for=self._retry_for
        )
        if not launched.new:
            return None
        how = f", as {self._retry_as} of {wanted.related_to}" if wanted.related_to else ""
        self._log.info("Launched Flyte run %s for try %d%s. %s", launched.key, self._trying.number, how, launched.url)
        return TryRun(launched.key, launched.url, True, self._client.config.endpoint, new=True)

    def _key(self, name: str) -> RunKey:
        try:
            name = self._real_names.get(name, name)
            return self._client.config.key(name, self._wanted.project, self._wanted.domain)
        except ConfigError as error:
            raise FlyteConfigurationError(str(error)) from error

    def _error(self, kind: type[FlyteRunError], key: RunKey, text: str) -> FlyteRunError:
        return kind(text, run=key.name, project=key.project, domain=key.domain, url=self._client.config.run_url(key))
