"""The identity of a run: project, domain and name. The org is left out, because answers leave it out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_flyte.client.arguments import printable
from airflow_provider_flyte.client.errors import ConfigError
from airflow_provider_flyte.client.quoting import quoted

# CreateRun's own rule: a DNS-1035 label of at most 30 characters.
_RUN_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
RUN_NAME_LENGTH = 30
_SHOWN = 200
_FROM_UPSTREAM = (
    "If it comes from an upstream task, check what that task returned: a FlyteRunOperator returns the run's details; "
    'the name is under the XCom key run_name, as in run_name=launch.output["run_name"].'
)
_PREFIX = re.compile(r"[a-z][-a-z0-9]*")
_PREFIX_LENGTH = 15
"""The rest is for what distinguishes one run from another."""


# No tuples: Airflow 2.11 masks the arguments of a log line, and makes a plain tuple of whatever is one.
@dataclass(frozen=True, order=True, slots=True)
class ProjectDomain:
    """A project and a domain: where runs live."""

    project: str
    domain: str

    def run(self, name: str) -> RunKey:
        """The run of this name there."""
        return RunKey(self.project, self.domain, name)

    def __str__(self) -> str:
        return f"{self.project}/{self.domain}"


@dataclass(frozen=True, order=True, slots=True)
class RunKey:
    """Identity of a run within one Flyte: the three parts that every answer carries."""

    project: str
    domain: str
    name: str

    @property
    def project_domain(self) -> ProjectDomain:
        """Its project and domain."""
        return ProjectDomain(self.project, self.domain)

    def __str__(self) -> str:
        return f"{self.project}/{self.domain}/{self.name}"


def is_run_name(name: str) -> bool:
    """Whether a Flyte run can have this name."""
    return len(name) <= RUN_NAME_LENGTH and _RUN_NAME.fullmatch(name) is not None


def check_run_name(name: object) -> str:
    """Return the name, or raise :class:`ConfigError` for one that no Flyte run can have."""
    if not isinstance(name, str) or not name:
        raise ConfigError(
            f"run_name is {quoted(name)}, not the name of a run. Give a string such as 'r1'. {_FROM_UPSTREAM}"
        )
    if len(name) > _SHOWN or (len(name) > RUN_NAME_LENGTH and name[0] in "{["):
        # What a template made of details: thousands of characters.
        raise ConfigError(f"No Flyte run can be named by {quoted(name)}. {_FROM_UPSTREAM}")
    if not is_run_name(name):
        raise ConfigError(
            f"No Flyte run can be named {name!r}: a run name has 1 to {RUN_NAME_LENGTH} lower-case letters, digits "
            "or '-', begins with a letter and does not end with '-'. Check run_name."
        )
    return name


def check_run_name_prefix(prefix: str) -> str:
    """Return the prefix, or raise :class:`ConfigError` for one that no run's name can begin with."""
    if len(prefix) > _PREFIX_LENGTH or not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            f"run_name_prefix {prefix!r} cannot begin a run's name: enter 1 to {_PREFIX_LENGTH} lower-case letters, "
            "digits or '-', beginning with a letter."
        )
    return prefix


def project_domain(project: str | None, domain: str | None, what: str) -> ProjectDomain:
    """A checked project and domain; :class:`ConfigError` names which is missing and where it can be set.

    :param what: what is there, for the error.
    """
    for part, value in (("project", project), ("domain", domain)):
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(
                f"No Flyte {part} for {what}. Set {part}=..., or '{part}' in the connection's extra fields."
            )
        printable(part, value)
    return ProjectDomain(str(project), str(domain))


def run_key(name: object, project: str | None, domain: str | None) -> RunKey:
    """A checked key; :class:`ConfigError` names which part is missing and where it can be set."""
    checked = check_run_name(name)
    return project_domain(project, domain, f"run {checked!r}").run(checked)
