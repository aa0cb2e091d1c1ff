"""Which runs a sensor waits for: those that it names, or one that it searches for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_flyte.arguments import SEARCH_ARGUMENTS
from airflow_provider_flyte.client.errors import ConfigError

if TYPE_CHECKING:
    from airflow_provider_flyte.client.flows.run_search import Sought


class RunsOfSensor:
    """A mixin for the sensor."""

    run_name: str | None
    run_names: Sequence[str] | None
    task_name: str | None

    _found: str | None = None
    """The name of the run that was looked for."""

    def _keep_to(self, run_names: list[str]) -> None:
        """Wait for these runs: templates may render another run now, and an edited DAG may have several instead of one.

        :param run_names: none where the run is still looked for.
        """
        if self.task_name is not None and len(run_names) == 1:
            [self._found] = run_names
        elif run_names:
            several = self.run_names is not None or len(run_names) > 1
            self.task_name = None
            self.run_name, self.run_names = (None, run_names) if several else (run_names[0], None)

    def _check_names(self) -> None:
        from airflow_provider_flyte.client.quoting import quoted
        from airflow_provider_flyte.client.run_key import check_run_name

        if self.task_name is not None:
            self._sought(time.time())
            return
        if self.run_names is None:
            check_run_name(self.run_name)
            return
        if self.run_name is not None:
            raise ConfigError("run_name and run_names are both given; give one of them.")
        if isinstance(self.run_names, Mapping) and "action" in self.run_names:
            raise ConfigError(
                "run_names is the details of one Flyte run, not a list of names. Of a FlyteRunOperator give "
                'run_name=launch.output["run_name"], of a mapped one run_names=launch.output["run_name"].'
            )
        if isinstance(self.run_names, str) or not isinstance(self.run_names, Iterable):
            raise ConfigError(
                f"run_names is {quoted(self.run_names)}, not a list of names. Give a list, or an upstream task's "
                "output; a template gives a text unless its DAG has render_template_as_native_obj=True."
            )
        names = list(self.run_names)
        if not names:
            raise ConfigError("run_names is empty; give at least one name.")
        for name in names:
            check_run_name(name)
        # An upstream task's list is read from Airflow on each iteration.
        self.run_names = names

    @property
    def _several(self) -> list[str] | None:
        """The names of several runs, each once."""
        return None if self.run_names is None else list(dict.fromkeys(self.run_names))

    @property
    def _names(self) -> list[str]:
        if self.task_name is not None:
            return [self._found] if self._found else []
        return self._several or [str(self.run_name)]

    @property
    def _what(self) -> str:
        if self._several is not None:
            return f"{len(self._several)} Flyte runs"
        return f"Flyte run {self._names[0]}" if self._names else f"a run of Flyte task {self.task_name}"

    def _sought(self, began: float) -> Sought | None:
        """What is looked for; None where the task knows the name of its run.

        :param began: when the task began to look, in seconds since the epoch.
        """
        if self.task_name is None or self._found:
            return None
        from airflow_provider_flyte.wait.run_search import sought

        return sought({name: getattr(self, name) for name in SEARCH_ARGUMENTS}, began)
