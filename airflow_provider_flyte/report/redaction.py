"""What nobody is to read: a dict that does not show its values, the values of environment variables, and webhooks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

REDACTED = "***"
"""The substitute for a hidden value, in XCom too."""

_ENV = re.compile(
    r"(?:^|[._-])env(?:s|[._-]?[vV]ars?|ironment)?(?:$|[._-])|[a-z]Env(?:s|Vars?|ironment|Yaml)?(?:$|[._-])", re.ASCII
)
"""Keys of environment variables: ``env`` of a container, ``envVars``, ``runtimeEnvYaml`` of Ray,
``spark.executorEnv.NAME`` of Spark."""

_NAMES = ("name", "key", "valueFrom")
"""What an entry of a list of environment variables has beside its value."""


class HiddenValues(Mapping[str, str]):
    """A mapping that shows its names only: Rendered Templates and the serialized DAG have what ``str()`` gives.

    :param hidden: the values by name. Anything else (a template, an upstream task's output) is shown as ``***``.
    """

    def __init__(self, hidden: Any) -> None:
        self.hidden = hidden
        self._values: Mapping[str, str] = hidden if isinstance(hidden, Mapping) else {}
        self.unfit = "" if isinstance(hidden, Mapping) else type(hidden).__name__
        """The type's name, where it is no mapping."""

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __bool__(self) -> bool:
        # Airflow renders nothing that is false.
        return bool(self.hidden)

    def __repr__(self) -> str:
        return REDACTED if self.unfit else repr(dict.fromkeys(self._values, REDACTED))


def without_env_values(value: Any, *, inside: bool = False) -> Any:
    """A copy of a part of ``to_dict()`` with ``***`` for the values of environment variables.

    :param inside: whether this is what a key of environment variables holds.
    """
    if isinstance(value, dict):
        return {
            name: each
            if name in ("labels", "annotations") and not inside
            else without_env_values(each, inside=inside or bool(_ENV.search(name)))
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [
            _entry(each) if inside and isinstance(each, dict) else without_env_values(each, inside=inside)
            for each in value
        ]
    return REDACTED if inside and value not in ("", None) else value


def without_webhook_secrets(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A copy of the rules of ``runSpec.notificationRules`` with ``***`` for the addresses and headers of webhooks.

    Whoever knows the address of a webhook can call it.
    """
    made = []
    for rule in rules:
        template = rule.get("deliveryTemplate", {})
        if "webhook" in template:
            hidden = {name: REDACTED for name in ("url", "headers") if name in template["webhook"]}
            rule = {**rule, "deliveryTemplate": {**template, "webhook": {**template["webhook"], **hidden}}}
        made.append(rule)
    return made


def _entry(variable: dict[str, Any]) -> dict[str, Any]:
    return {name: each if name in _NAMES else without_env_values(each, inside=True) for name, each in variable.items()}
