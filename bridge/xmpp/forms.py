"""Knows how a `bridge.api` form looks as a data form (XEP-0004), and how a filled-in one is read and judged.

A secret is never rendered, whatever the form's default says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from bridge.api import Field, FieldKind, Form
from bridge.xmpp.escape import attr, legal, text

__all__ = ["FormError", "judge", "judge_value", "read_form", "render_form", "submitted_form"]

_NS = "jabber:x:data"
_TYPES = {
    FieldKind.TEXT: "text-single",
    FieldKind.SECRET: "text-private",
    FieldKind.FLAG: "boolean",
    FieldKind.LINES: "text-multi",
    FieldKind.CHOICE: "list-single",
}
_FLAGS = {"1": "true", "true": "true", "0": "false", "false": "false"}
_SPOKEN_FLAGS = {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}
MAX_VALUE = 64 * 1024
"""Characters that one field may hold."""


class FormError(Exception):
    """What was given does not fit the form. `field` is its name; the text names it as people see it."""

    def __init__(self, text: str, field: str, *, missing: bool = False) -> None:
        super().__init__(text)
        self.field = field
        self.missing = missing


def render_form(form: Form, form_type: str = "") -> str:
    """The `<x/>` to fill in."""
    parts = [f"<x xmlns='{_NS}' type='form'>"]
    if form.title:
        parts.append(f"<title>{text(form.title)}</title>")
    if form.instructions:
        parts.append(f"<instructions>{text(form.instructions)}</instructions>")
    if form_type:
        parts.append(f"<field type='hidden' var='FORM_TYPE'><value>{text(form_type)}</value></field>")
    parts += [_render_field(field) for field in form.fields]
    parts.append("</x>")
    return "".join(parts)


def _render_field(field: Field) -> str:
    parts = [f"<field type='{_TYPES[field.kind]}' var='{attr(field.name)}' label='{attr(field.label)}'>"]
    if field.help:
        parts.append(f"<desc>{text(field.help)}</desc>")
    if field.required:
        parts.append("<required/>")
    parts += [f"<value>{text(value)}</value>" for value in _shown(field)]
    parts += [
        f"<option label='{attr(label)}'><value>{text(value)}</value></option>"
        for value, label in field.choices
    ]
    parts.append("</field>")
    return "".join(parts)


def _shown(field: Field) -> list[str]:
    if field.kind is FieldKind.SECRET or not field.default:
        return []
    return field.default.split("\n") if field.kind is FieldKind.LINES else [field.default]


def submitted_form(parent: Element) -> Element | None:
    """The data form among the children of a payload, whatever its type; None if there is none."""
    return parent.find(f"{{{_NS}}}x")


def read_form(element: Element) -> dict[str, tuple[str, ...]]:
    """The fields of a submitted form: name -> values. Of a name given twice, the last counts."""
    return {
        field.get("var", ""): tuple(legal(value.text or "") for value in field.iterfind(f"{{{_NS}}}value"))
        for field in element.iterfind(f"{{{_NS}}}field")
    }


def judge(form: Form, given: Mapping[str, Sequence[str]], *, known: bool = False) -> dict[str, str]:
    """The values of a form's fields, normalised; fields that were not given are left out.

    `known`: the form changes something that exists, so that a secret may stay empty (it is left out and stays
    as it is). Raises FormError. Fields that the form does not have are ignored.
    """
    values: dict[str, str] = {}
    for field in form.fields:
        raw = given.get(field.name)
        value = judge_value(field, "\n".join(raw)) if raw is not None else ""
        if field.kind is FieldKind.SECRET and not value and known:
            continue
        if field.required and not value.strip():
            raise FormError(f"“{field.label}” is required.", field.name, missing=True)
        if raw is not None:
            values[field.name] = value
    return values


def judge_value(field: Field, value: str, *, spoken: bool = False) -> str:
    """One field's value, normalised. `spoken`: typed as chat, where yes and no are words, and a choice may be
    given by its label. Raises FormError."""
    if len(value) > MAX_VALUE:
        raise FormError(f"“{field.label}” is too long.", field.name)
    if field.kind is FieldKind.LINES:
        return value
    if field.kind is FieldKind.SECRET:
        return _one_line(field, value)
    value = _one_line(field, value).strip()
    if field.kind is FieldKind.FLAG:
        return _flag(field, value.lower(), spoken)
    if field.kind is FieldKind.CHOICE and value:
        return _choice(field, value, spoken)
    return value


def _one_line(field: Field, value: str) -> str:
    if "\n" in value or "\r" in value:
        raise FormError(f"“{field.label}” takes one line only.", field.name)
    return value


def _flag(field: Field, value: str, spoken: bool) -> str:
    found = "false" if not value else _FLAGS.get(value)
    if found is None and spoken:
        found = _SPOKEN_FLAGS.get(value)
    if found is None:
        raise FormError(f"“{field.label}” is either true or false.", field.name)
    return found


def _choice(field: Field, value: str, spoken: bool) -> str:
    for choice, label in field.choices:
        if value == choice or (spoken and value.lower() in (choice.lower(), label.lower())):
            return choice
    allowed = ", ".join(choice for choice, _ in field.choices)
    raise FormError(f"“{field.label}” is one of: {allowed}.", field.name)
