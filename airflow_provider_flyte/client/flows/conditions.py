"""The conditions of a run: child actions in which it waits, PAUSED, for a value (``flyte.new_condition``).

A condition has two names: its own, which the author of the Flyte task gave it, and that of its action, which Flyte's
SDK makes of the parent's name, its own and a number (``convert.py``, ``generate_sub_action_id_and_output_path``). Lists
show the second one alone (``recordings/child_actions.json``), so the first takes a call for each condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from airflow_provider_flyte.client.errors import ConditionError, NotFoundError, RpcError, is_lasting
from airflow_provider_flyte.client.flows import calls
from airflow_provider_flyte.client.flows.calls import Call, Flow
from airflow_provider_flyte.client.idl.common import identifier_pb2, list_pb2
from airflow_provider_flyte.client.idl.core import types_pb2
from airflow_provider_flyte.client.idl.workflow import run_definition_pb2, run_service_pb2
from airflow_provider_flyte.client.outside import LONGEST_NAME, one_line
from airflow_provider_flyte.client.phase import RunPhase, is_terminal, phase_name
from airflow_provider_flyte.client.principal import principal_name
from airflow_provider_flyte.client.rpc import RunService
from airflow_provider_flyte.client.run_key import RunKey
from airflow_provider_flyte.client.timeline import moment

Answer: TypeAlias = bool | int | float | str
"""What a condition can be answered with."""

TYPES: dict[int, type] = {
    types_pb2.BOOLEAN: bool,
    types_pb2.INTEGER: int,
    types_pb2.FLOAT: float,
    types_pb2.STRING: str,
}
"""What a condition may ask for; an answer holds nothing else (``EventPayload``)."""

KINDS: dict[type, str] = {bool: "a bool", int: "an int of 64 bits", float: "a float", str: "a str"}
"""What a condition asks for, in words."""

_VALUES = ("boolean", "integer", "float_value", "string_value")
"""The fields of a literal that may have an answer."""

MOST_LOOKED_FOR = 200
"""How many conditions of a run are read to find one by its own name: a page of them."""

MOST_SHOWN = 20
"""How many conditions of a run are read where a person looks, a call each."""

_MOST_UNREAD = 3
"""How many conditions may fail to be read before the rest is left out: then it is not them that are in trouble."""


@dataclass(frozen=True)
class Condition:
    """A condition as Flyte has it; its texts are from outside, and not cleaned."""

    key: RunKey
    """The run."""

    action: str
    """The name of its action: there is but one in the run."""

    name: str
    """Its own name; several in a run may have it."""

    parent: str
    """The name of the action that waits for it, which an answer has to name."""

    phase: int
    prompt: str
    description: str
    markdown: bool
    """Whether the prompt is Markdown."""

    kind: type | None
    """``bool``, ``int``, ``float`` or ``str``; None for another type, which no answer can have."""

    value: Answer | None = None
    """What it was answered with; None before, and where Flyte does not show it."""

    answered_by: str = ""
    """Who answered it; '' before, and where Flyte does not show it."""

    ended_at: datetime | None = None
    """When it was answered, or ended otherwise; None before, and where Flyte does not show it."""

    @property
    def waits(self) -> bool:
        """Whether it waits for an answer."""
        return self.phase == RunPhase.PAUSED

    @property
    def over(self) -> bool:
        """Whether it waits no more."""
        return is_terminal(self.phase)

    @property
    def shown(self) -> str:
        """Its own name and the run's, in an error."""
        return f"Condition {one_line(self.name, LONGEST_NAME)!r} of Flyte run {self.key}"

    @property
    def asks_for(self) -> str:
        """What an answer has to be, in words."""
        return KINDS[self.kind] if self.kind else "a type that no answer can have"

    @property
    def outcome(self) -> str:
        """How it ended, as a clause."""
        if self.phase != RunPhase.SUCCEEDED:
            return f"waits no more ({phase_name(self.phase)})"
        by = f" by {one_line(self.answered_by, LONGEST_NAME)}" if self.answered_by else ""
        return ("was answered" if self.value is None else answered_with(self.value)) + by


def answered_with(value: object) -> str:
    """The clause about an answer, of which the middle is left out where it is long."""
    return f"was answered with {one_line(repr(value), LONGEST_NAME)}"


def condition_of(details: run_definition_pb2.ActionDetails, key: RunKey, action: str) -> Condition | None:
    """The condition that an action is; None where it is another one."""
    if not details.HasField("condition"):
        return None
    asked = details.condition
    return Condition(
        key,
        action,
        asked.name or action,
        details.metadata.parent,
        int(details.status.phase),
        asked.prompt,
        asked.description,
        asked.prompt_type == run_definition_pb2.CONDITION_PROMPT_TYPE_MARKDOWN,
        TYPES.get(asked.type.simple) if asked.type.HasField("simple") else None,
        _value(details),
        principal_name(details.signal_info.signalled_by),
        moment(details.status.end_time) if details.status.HasField("end_time") else None,
    )


def _value(details: run_definition_pb2.ActionDetails) -> Answer | None:
    if details.WhichOneof("result") != "signal_info":
        return None
    primitive = details.signal_info.output.scalar.primitive
    field = primitive.WhichOneof("value")
    return getattr(primitive, field) if field in _VALUES else None


def read_condition(key: RunKey, org: str, action: str, final: type[RpcError] | None = None) -> Flow[Condition | None]:
    """A condition by the name of its action; None where that action is no condition.

    :param final: errors after which it is not read again, as in :class:`calls.Call`.
    :raises NotFoundError: where the run has no such action, or Flyte's database is in trouble.
    """
    request = run_service_pb2.GetActionDetailsRequest(action_id=action_identifier(key, org, action))
    details: run_definition_pb2.ActionDetails = yield Call(
        RunService.GetActionDetails, request, _read_details, key.name, final=final
    )
    return condition_of(details, key, action)


def paused_actions(key: RunKey, org: str) -> Flow[list[str]]:
    """The actions of a run that are paused."""
    # One value alone is INTERNAL in ListRuns, so it is sent twice here, too.
    only = list_pb2.Filter(function=list_pb2.Filter.VALUE_IN, field="phase", values=[str(int(RunPhase.PAUSED))] * 2)
    listed = yield from _listed(key, org, only)
    # A paused run is no condition.
    paused = [each.id.name for each in listed if int(each.status.phase) == RunPhase.PAUSED]
    return [name for name in paused if name != calls.ROOT_ACTION]


class Waiting(NamedTuple):
    """What a run waits for."""

    conditions: list[Condition]
    """Those that could be read."""

    left_out: int
    """How many more actions are paused than were to be read."""

    unread: list[str]
    """The names of the actions that are paused and were not read, or could not be."""

    trouble: RpcError | None
    """Why others could not be read."""

    def left_unsaid(self, page: str) -> list[str]:
        """What a person who sees the conditions has to know besides, each thing in a line.

        :param page: the run's page in Flyte's console, which shows the rest.
        """
        said = [] if self.trouble is None else [conditions_not_known(self.trouble, some=bool(self.conditions))]
        if self.left_out:
            actions = "action of the run is" if self.left_out == 1 else "actions of the run are"
            said.append(f"{self.left_out} more {actions} paused, and not shown: {page}")
        return said


def conditions_not_known(why: object, *, some: bool = False) -> str:
    """A line for a person about conditions that could not be read.

    :param why: the reason.
    :param some: whether others could.
    """
    return f"What {'else ' if some else ''}the run waits for is not known: {why}"


def waiting_conditions(key: RunKey, org: str, *, most: int = MOST_LOOKED_FOR) -> Flow[Waiting]:
    """The conditions of a run that wait for an answer. One that cannot be read holds no other up.

    :param most: how many conditions are read, a call each.
    :raises RpcError: where Flyte does not list them.
    """
    paused = yield from paused_actions(key, org)
    found, trouble = yield from _read_each(key, org, paused[:most])
    read = {each.action for each in found}
    unread = [name for name in paused if name not in read]
    return Waiting([each for each in found if each.waits], max(0, len(paused) - most), unread, trouble)


def find_condition(key: RunKey, org: str, name: str) -> Flow[Condition]:
    """A condition by its own name or that of its action; of several that have a name the one that waits.

    :raises ConditionError: where the run has none of that name, which names those that wait, and where several wait.
    :raises RpcError: where Flyte cannot read the run, or none of that name was found and another one cannot be read.
    """
    cleaned = one_line(name, LONGEST_NAME)
    is_other = False
    try:
        by_action = yield from read_condition(key, org, name)
        if by_action is not None:
            return by_action
        is_other = True
    except NotFoundError:
        # It may answer so for an error of its database, too; then the list fails.
        pass
    waiting = yield from waiting_conditions(key, org)
    mine = [each for each in waiting.conditions if each.name == name]
    _check_one(key, mine)
    mine = mine or (yield from _not_waiting(key, org, name))
    if mine:
        return mine[0]
    if is_other:
        raise ConditionError(f"Action {cleaned!r} of Flyte run {key} is no condition.")
    if waiting.trouble is not None:
        raise waiting.trouble
    names = one_line(", ".join(names_of(waiting.conditions))) or "none"
    raise ConditionError(f"Flyte run {key} has no condition {cleaned!r}; waiting for an answer are: {names}.")


def seek_condition(key: RunKey, org: str, name: str) -> Flow[Condition | None]:
    """A condition that waits, or else one that did; None where there is none yet.

    :param name: its own name, or that of its action.
    :raises ConditionError: where several of that name wait.
    :raises RpcError: where Flyte cannot read the run, or none of that name was found and another one cannot be read.
    """
    waiting = yield from waiting_conditions(key, org)
    mine = [each for each in waiting.conditions if name in (each.name, each.action)]
    _check_one(key, mine)
    mine = mine or [each for each in (yield from _not_waiting(key, org, name)) if each.over]
    if not mine and waiting.trouble is not None:
        raise waiting.trouble
    return mine[0] if mine else None


def _check_one(key: RunKey, mine: Sequence[Condition]) -> None:
    if len(mine) > 1:
        actions = one_line(", ".join(each.action for each in mine))
        raise ConditionError(
            f"Of Flyte run {key} {len(mine)} conditions named {one_line(mine[0].name, LONGEST_NAME)!r} wait for an "
            f"answer. Name the action of one instead: {actions}."
        )


def names_of(conditions: Iterable[Condition]) -> list[str]:
    """How each condition can be named: by its own name where no other has it, else by its action's."""
    all_of = list(conditions)
    own = [each.name for each in all_of]
    return [each.name if own.count(each.name) == 1 else each.action for each in all_of]


def _not_waiting(key: RunKey, org: str, name: str) -> Flow[list[Condition]]:
    """Conditions of that name that do not wait, the newest first; none where this Flyte lists no conditions.

    Listed as Flyte's SDK lists them (``remote/_condition.py``).

    :raises RpcError: where there may be one, and Flyte cannot tell now.
    """
    kind = str(int(run_definition_pb2.ACTION_TYPE_CONDITION))
    only = list_pb2.Filter(function=list_pb2.Filter.EQUAL, field="action_type", values=[kind])
    try:
        listed = yield from _listed(key, org, only)
    except RpcError as error:
        if is_lasting(error):
            return []
        raise
    # Some deployments show the name in the list.
    actions = [each.id.name for each in listed if {"", name} & {each.metadata.condition.name, each.id.name}]
    found, trouble = yield from _read_each(key, org, actions[:MOST_LOOKED_FOR])
    mine = [each for each in found if name in (each.name, each.action)]
    if trouble is not None and not mine:
        raise trouble
    return mine


def _listed(key: RunKey, org: str, only: list_pb2.Filter) -> Flow[list[run_definition_pb2.Action]]:
    request = run_service_pb2.ListActionsRequest(
        run_id=calls.run_identifier(key, org), request=list_pb2.ListRequest(limit=calls.PAGE_SIZE, filters=[only])
    )
    listed: list[run_definition_pb2.Action] = yield Call(
        RunService.ListActions, request, lambda response: list(response.actions), key.name
    )
    return listed


def _read_each(key: RunKey, org: str, actions: Sequence[str]) -> Flow[tuple[list[Condition], RpcError | None]]:
    """Conditions, and why others of them could not be read. The first of those alone is tried again."""
    found: list[Condition] = []
    troubles: list[RpcError] = []
    for action in actions:
        try:
            condition = yield from read_condition(key, org, action, final=RpcError if troubles else None)
        except NotFoundError:
            continue
        except RpcError as error:
            troubles.append(error)
            if len(troubles) == _MOST_UNREAD:
                break
            continue
        if condition is not None:
            found.append(condition)
    return found, troubles[0] if troubles else None


def paused_runs(project: str, domain: str, names: Sequence[str], org: str) -> Flow[list[RunKey]]:
    """Which of these runs have an action that is paused.

    :param names: of the runs, :data:`calls.NAMES_A_CALL` at most.
    :raises RpcError: also where this backend does not list by name.
    """
    page: calls.RunsPage = yield calls.list_paused(project, domain, names, org)
    if not page.next_token or len(names) < 2:
        return list(page.phases)
    # Runs leave this list while it is read, and a page's token is an offset.
    half = len(names) // 2
    first = yield from paused_runs(project, domain, names[:half], org)
    return first + (yield from paused_runs(project, domain, names[half:], org))


def action_identifier(key: RunKey, org: str, name: str) -> identifier_pb2.ActionIdentifier:
    """An action of a run, for a request."""
    return identifier_pb2.ActionIdentifier(run=calls.run_identifier(key, org), name=name)


def _read_details(response: Any) -> run_definition_pb2.ActionDetails:
    details: run_definition_pb2.ActionDetails = response.details
    return details
