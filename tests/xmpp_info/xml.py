"""Knows how tests read answers: the payload, its error, a form's fields."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from slixmpp import Iq

DATA = "{jabber:x:data}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


def payload(answer: Iq) -> Element:
    """The child of a result."""
    assert answer.xml.get("type") == "result", str(answer)
    assert len(answer.xml) == 1, str(answer)
    return answer.xml[0]


def error(answer: Iq) -> tuple[str, str, str]:
    """(type, condition, text) of an error."""
    assert answer.xml.get("type") == "error", str(answer)
    found = answer.xml.find("{jabber:client}error")
    assert found is not None, str(answer)
    condition = next(
        part.tag for part in found if part.tag.startswith(STANZAS) and not part.tag.endswith("}text")
    )
    return found.get("type", ""), condition.removeprefix(STANZAS), found.findtext(STANZAS + "text") or ""


def fields(parent: Element) -> dict[str, list[str]]:
    """The fields of the data form in a payload, with their values."""
    form = parent.find(DATA + "x")
    assert form is not None
    return {
        field.get("var", ""): [value.text or "" for value in field.iterfind(DATA + "value")]
        for field in form.iterfind(DATA + "field")
    }


def submit(**values: str) -> str:
    """A filled-in data form."""
    filled = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in values.items())
    return f"<x xmlns='jabber:x:data' type='submit'>{filled}</x>"
