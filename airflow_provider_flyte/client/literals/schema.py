"""Objects for a dataclass, a model or a tuple, by the JSON schema that Flyte keeps with the type.

Checked here, because the task would find out only after its container has started. What the schema does not restrict
passes.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date, timedelta
from enum import Enum
from typing import Any, TypeAlias

from airflow_provider_flyte.client.literals import values as plain
from airflow_provider_flyte.client.literals.read_from_text import ReadFromText
from airflow_provider_flyte.client.literals.spelling import unspell
from airflow_provider_flyte.client.literals.values import Unfit, within
from airflow_provider_flyte.client.quoting import quoted

Schema: TypeAlias = Mapping[str, Any]


def fit(value: object, schema: Schema, root: Schema) -> Any:
    """The value as msgpack is to hold it.

    :param schema: what this value must be.
    :param root: the whole schema, in which ``$ref`` points.
    """
    if isinstance(value, ReadFromText):
        return plain.either(fit, value, schema, root)
    value = unspell(plain.unpacked(value))
    if "$ref" in schema:
        return fit(value, _target(schema["$ref"], root), root)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return _first_that_fits(value, schema[choice], root)
    if "enum" in schema or "const" in schema:
        return _one_of(value, schema.get("enum", [schema.get("const")]))
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return _first_that_fits(value, [{**schema, "type": kind} for kind in kinds], root)
    if kinds == "object":
        return _object(value, schema, root)
    if kinds == "array":
        items = schema.get("items")
        items = items if isinstance(items, Mapping) else {}
        return [within(index, fit, item, items, root) for index, item in enumerate(plain.sequence(value))]
    if kinds == "integer":
        return plain.integer(value, plain.MSGPACK_INTEGERS)
    if kinds == "number":
        return plain.number(value.total_seconds() if isinstance(value, timedelta) else value)
    if kinds == "string":
        return _string(value)
    if kinds == "boolean":
        return plain.boolean(value)
    if kinds == "null":
        if value is not None:
            raise plain.not_a("None", value)
        return None
    return plain.anything(value)


def _object(value: object, schema: Schema, root: Schema) -> dict[str, Any]:
    fields = plain.mapping(value)
    properties: Schema = schema.get("properties", {})
    others = schema.get("additionalProperties", not properties)
    made = {}
    for name, item in fields.items():
        # For dict[int, ...] the schema has no more than the type of the values.
        key = within(name, plain.key, name)
        if name in properties:
            made[key] = within(name, fit, item, properties[name], root)
        elif isinstance(others, Mapping):
            made[key] = within(name, fit, item, others, root)
        elif others:
            made[key] = within(name, plain.anything, item)
        else:
            close = difflib.get_close_matches(str(name), properties, n=1)
            suggestion = f"; did you mean {close[0]!r}?" if close else ""
            raise Unfit(f"there is no field {name!r}{suggestion} The fields are {', '.join(sorted(properties))}")
    if missing := [name for name in schema.get("required", ()) if name not in fields]:
        raise Unfit(f"{quoted(value)} lacks {', '.join(map(repr, missing))}")
    return made


def _string(value: object) -> str:
    # As mashumaro and pydantic write them into msgpack, which has no times.
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return plain.iso_duration(value)
    return plain.text(value.value if isinstance(value, Enum) and isinstance(value.value, str) else value)


def _one_of(value: object, allowed: list[Any]) -> Any:
    # A pydantic model's enum stands in the schema by names, a dataclass's by values.
    candidates = [value.name, value.value] if isinstance(value, Enum) else [value]
    for candidate in candidates:
        for each in allowed:
            if each == candidate and isinstance(each, bool) == isinstance(candidate, bool):
                return candidate
    raise Unfit(f"{quoted(value)} is none of {', '.join(map(repr, allowed))}")


def _first_that_fits(value: object, choices: list[Schema], root: Schema) -> Any:
    errors = []
    for choice in choices:
        try:
            return fit(value, choice, root)
        except Unfit as error:
            errors.append(error)
    specific = [error for error, choice in zip(errors, choices, strict=True) if choice.get("type") != "null"]
    # For an optional field the one real choice shows best what is wrong.
    raise specific[0] if len(specific) == 1 else plain.not_a("of any kind that this field takes", value)


def _target(reference: str, root: Schema) -> Schema:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
