"""Templates that are rendered as native objects (``render_template_as_native_obj=True``).

Such rendering parses numbers, dicts, True and None from every text, also from one that is no template: ``"2026"``
becomes 2026. So the text is kept beside the parsed value, and used where a text is wanted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_flyte.client.literals.read_from_text import ReadFromText
from airflow_provider_flyte.exceptions import FlyteArgumentError
from airflow_provider_flyte.report.redaction import HiddenValues

if TYPE_CHECKING:
    import jinja2

ABOUT_NATIVE = (
    " The task renders templates as native objects, so what a template gives stays a number, a list or a dict: for its "
    "text write {{ ... | string }}."
)
ABOUT_TEXTS = " A template gives a text, unless its DAG has render_template_as_native_obj=True."


class KeepsTexts:
    """A mixin for operators and sensors that keeps the texts they were given. It stands before Airflow's class.

    Fields are texts, unless they are in one of these:
    """

    text_collections: tuple[str, ...] = ()
    """Lists of texts, and mappings to texts."""

    typed_fields: tuple[str, ...] = ()
    """Values of many types; :meth:`as_written` gives them with the texts that they were parsed from."""

    rendered_natively = False
    """Whether this task was rendered natively."""

    _keeping = False
    _written: Mapping[str, tuple[Any, Any]] = {}

    def as_written(self, name: str) -> Any:
        """The field as rendered, each value that was parsed from a text together with that text."""
        value = getattr(self, name)
        rendered, written = self._written.get(name, (None, None))
        return written if rendered is value else value

    def extend(self, name: str, more: Mapping[str, Any]) -> None:
        """Add values to the dict of a typed field, as they are; those that are there keep their texts."""
        value, written = ({**(each or {}), **more} for each in (getattr(self, name), self.as_written(name)))
        setattr(self, name, value)
        self._written = {**self._written, name: (value, written)}

    def render_template(
        self, content: Any, context: Any, jinja_env: jinja2.Environment | None = None, seen_oids: set[int] | None = None
    ) -> Any:
        """Render as Airflow does, hidden values too."""
        if isinstance(content, HiddenValues):
            content = content.hidden
            if callable(content):
                return content(context=context, jinja_env=jinja_env)
        return super().render_template(content, context, jinja_env, seen_oids)  # type: ignore[misc]

    def _render(self, template: jinja2.Template, context: Any, dag: Any = None) -> Any:
        rendered = super()._render(template, context, dag)  # type: ignore[misc]
        if isinstance(rendered, str) or not self._keeping:
            return rendered
        text = _text_of(template, context)
        return rendered if text is None else ReadFromText(rendered, text)

    # Here and not in render_template_fields, which Airflow does not call for a mapped task.
    def _do_render_template_fields(
        self, parent: Any, template_fields: Any, context: Any, jinja_env: Any, seen_oids: Any, **kwargs: Any
    ) -> None:
        from jinja2.nativetypes import NativeEnvironment

        self._keeping = ours = parent is self
        try:
            super()._do_render_template_fields(  # type: ignore[misc]
                parent, template_fields, context, jinja_env, seen_oids, **kwargs
            )
        finally:
            self._keeping = False
        if ours:
            self.rendered_natively = isinstance(jinja_env, NativeEnvironment)
            self._take_texts(template_fields)

    def _take_texts(self, template_fields: Any) -> None:
        written = {}
        for name in template_fields:
            value = getattr(self, name)
            if isinstance(value, HiddenValues):
                value = value.hidden
            for path, undefined in _undefined(value, name):
                raise FlyteArgumentError(
                    f"The template of {path} names something undefined: {undefined._undefined_message}. Check its "
                    "spelling, and what params, dag_run.conf and XCom have."
                )
            if name in self.typed_fields:
                value = value.value if isinstance(value, ReadFromText) else value
                written[name] = (_read(value), value)
                value = written[name][0]
            elif name in self.text_collections:
                value = value.value if isinstance(value, ReadFromText) else value
                if isinstance(value, dict):
                    value = {key: _text(item) for key, item in value.items()}
                elif type(value) in (list, tuple, set):
                    value = type(value)(map(_text, value))
            else:
                value = _text(value)
            setattr(self, name, value)
        self._written = written


def _text_of(template: jinja2.Template, context: Any) -> str | None:
    """The text that a template gives; None where it gives one thing that is no text, such as a number from XCom.

    As Airflow renders, which keeps its context from being made a plain dict.
    """
    env = template.environment
    context = copy.copy(context)
    if template.globals:
        context.update((key, value) for key, value in template.globals.items() if key not in context)
    nodes = list(template.root_render_func(env.context_class(env, context, template.name, template.blocks)))
    if len(nodes) == 1 and not isinstance(nodes[0], str):
        return None
    return "".join(map(str, nodes))


def _text(value: Any) -> Any:
    """The text of a value, where it has one."""
    return value.text if isinstance(value, ReadFromText) else _read(value)


def _read(value: Any) -> Any:
    """The values, without their texts."""
    if isinstance(value, ReadFromText):
        return value.value
    if isinstance(value, dict):
        return {key: _read(item) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(map(_read, value))
    return value


def _undefined(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Where rendering has left an undefined variable: native rendering raises no error for it."""
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _undefined(item, f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _undefined(item, f"{path}[{index}]")
