"""Which run each try of a DAG run's tasks has, and why: by the names that tries give, and the runs' annotations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_flyte.cli.airflow_tries import AirflowTry
from airflow_provider_flyte.cli.run_argument import run_of_page
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.flows.named_runs import details_of
from airflow_provider_flyte.client.idl.common import run_pb2
from airflow_provider_flyte.client.run_details import RunDetails
from airflow_provider_flyte.client.run_key import ProjectDomain, RunKey
from airflow_provider_flyte.tries.identity import DEFAULT_PREFIX, MOST_NAMES, TaskInstance, Try
from airflow_provider_flyte.tries.known_tries import chosen_name, found, launched_in

if TYPE_CHECKING:
    from airflow_provider_flyte.client import FlyteClient

_OURS = "Flyte"
"""What the names of the provider's operators and sensors begin with."""


@dataclass(frozen=True)
class TryWithRun:
    """A try, and its run."""

    of_airflow: AirflowTry
    run: RunDetails | None
    key: RunKey | None
    how: str | None
    """``launched``, ``re-run``, ``recovered``, ``attached``, ``adopted``, ``waited for``; None: it has no run."""

    why: str


class RunsOfTries:
    """Finds them for one DAG run.

    :param client: of the connection.
    :param dag_id: the DAG.
    :param run_id: of the DAG run.
    """

    def __init__(self, client: FlyteClient, dag_id: str, run_id: str) -> None:
        self._client = client
        self._dag_id, self._run_id = dag_id, run_id
        self._prefix = client.config.run_name_prefix or DEFAULT_PREFIX
        self._details: dict[RunKey, RunDetails] = {}

    def of(self, tries: Sequence[AirflowTry]) -> list[TryWithRun]:
        """The tries of tasks that have to do with Flyte, with their runs."""
        pages = {(each.task_id, each.map_index): key for each in tries if (key := run_of_page(each.page)) is not None}
        places = self._places(tries, pages)
        launched = self._launched(tries, pages, places)
        about = {(each.task_id, each.map_index) for each in launched} | set(pages)
        with_runs = []
        for each in tries:
            task = each.task_id, each.map_index
            if task in about or each.operator.startswith(_OURS):
                with_runs.append(self._with_run(each, launched.get(each), pages.get(task) if each.page else None))
        return with_runs

    def _places(
        self, tries: Iterable[AirflowTry], pages: Mapping[tuple[str, int], RunKey]
    ) -> dict[tuple[str, int], ProjectDomain]:
        """Where the runs of a task are: where its last one is, or else where the connection says."""
        config = self._client.config
        default = ProjectDomain(config.project, config.domain) if config.project and config.domain else None
        places = {}
        for each in tries:
            task = each.task_id, each.map_index
            if place := pages[task].project_domain if task in pages else default:
                places[task] = place
        return places

    def _launched(
        self,
        tries: Sequence[AirflowTry],
        pages: Mapping[tuple[str, int], RunKey],
        places: Mapping[tuple[str, int], ProjectDomain],
    ) -> dict[AirflowTry, RunKey]:
        """The run that each try has launched, as far as there is one."""
        self._read(pages.values())
        launched: dict[AirflowTry, RunKey] = {}
        open_tries = {each: 0 for each in tries if (each.task_id, each.map_index) in places}
        while open_tries:
            names: dict[AirflowTry, RunKey] = {}
            for each, skipped in open_tries.items():
                task = each.task_id, each.map_index
                if name := self._name(each, pages.get(task), skipped):
                    names[each] = places[task].run(name)
            self._read(names.values())
            following: dict[AirflowTry, int] = {}
            for each, key in names.items():
                if key not in self._details:
                    continue
                run = found(key.name, self._details[key].pb2)
                if launched_in(run, self._task(each), each.number, each.attempt_id):
                    launched[each] = key
                elif open_tries[each] + 1 < MOST_NAMES:
                    # The name may be another DAG run's of the same id, and the try has the next one.
                    following[each] = open_tries[each] + 1
            open_tries = following
        return launched

    def _name(self, each: AirflowTry, last: RunKey | None, skipped: int) -> str | None:
        """The name that a try gives its run; None where it can give none."""
        chosen = self._chosen(last)
        if chosen and skipped:
            return None
        try:
            trying = Try(
                self._task(each),
                each.number,
                each.max_tries,
                prefix=self._prefix,
                run_name=chosen,
            )
            return trying.name_of(each.number, skipped)
        except ConfigError:
            return None

    def _chosen(self, last: RunKey | None) -> str | None:
        """The name that the user chose for a task's runs, by the one of them that is known; None: a computed one."""
        if last is None or last not in self._details:
            return None
        run = found(last.name, self._details[last].pb2)
        if run.owner is None or (run.owner.dag_id, run.owner.run_id) != (self._dag_id, self._run_id):
            return None
        return chosen_name(run, self._prefix)

    def _task(self, each: AirflowTry) -> TaskInstance:
        return TaskInstance(self._dag_id, each.task_id, self._run_id, each.map_index)

    def _with_run(self, each: AirflowTry, launched: RunKey | None, shown: RunKey | None) -> TryWithRun:
        key = shown or launched
        details = self._details.get(key) if key else None
        if key is None:
            return TryWithRun(each, None, None, None, "no run of this try is known")
        if details is None:
            return TryWithRun(each, None, key, None, "Flyte does not have this run")
        if key == launched:
            return TryWithRun(each, details, key, *_launch(each.number, details))
        run = found(key.name, details.pb2)
        if run.owner is not None and replace(run.owner, airflow="") == self._task(each):
            return TryWithRun(each, details, key, "attached", f"try {run.try_number} launched it")
        if run.owner is not None:
            return TryWithRun(each, details, key, "waited for", f"{run.owner} launched it")
        how = "adopted" if "Operator" in each.operator else "waited for"
        return TryWithRun(each, details, key, how, "no task of Airflow launched it")

    def _read(self, keys: Iterable[RunKey]) -> None:
        """Read those runs that exist and are not known yet."""
        wanted: dict[ProjectDomain, list[RunKey]] = defaultdict(list)
        for key in dict.fromkeys(keys):
            if key not in self._details:
                wanted[key.project_domain].append(key)
        for place, each in wanted.items():
            self._client.config.check_project_domain(place.project, place.domain)
            found = self._client.execute(details_of(each, self._client.config.org))
            self._details |= {key: RunDetails(details, self._client) for key, details in found.items()}


def _launch(number: int, details: RunDetails) -> tuple[str, str]:
    """How a try has launched its run, and why so."""
    relation = details.pb2.run_spec.relation
    if relation.relation_type == run_pb2.RELATION_TYPE_RECOVER:
        return "recovered", f"repeats what run {relation.related_to.name} lacked"
    if relation.relation_type == run_pb2.RELATION_TYPE_RERUN:
        return "re-run", f"of run {relation.related_to.name}"
    return "launched", "first try" if number <= 1 else "no run of an earlier try was running or had succeeded"
