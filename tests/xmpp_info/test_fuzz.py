"""Whatever a client sends as a payload is answered, or refused in order: no other exception comes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from xml.etree.ElementTree import Element, SubElement, fromstring

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.api import Field, FieldKind, Form
from bridge.store.engine import Store
from bridge.xmpp.forms import FormError, judge, read_form, render_form
from bridge.xmpp.iqs import Handler, InIq, StanzaError
from tests.xmpp_info.conftest import DOMAIN, NET
from tests.xmpp_info.offline import information_of
from tests.xmpp_info.town import Town

NAMES = [
    "",
    "nick",
    "password",
    "greeting",
    "loud",
    "colour",
    "network",
    "FORM_TYPE",
    "message",
    "jid",
    "confirm",
]
TEXTS = st.one_of(
    st.sampled_from(["", "1", "true", "taken", "a\nb", NET, "nowhere", "-", f"bob%{NET}", "r"]),
    st.text(max_size=20),
)
LOCALS = st.sampled_from(["", NET, f"bob%{NET}", f"#bread%{NET}", "nowhere", "%", "\\40%x.y"])
NAMESPACES = [
    "jabber:iq:register", "http://jabber.org/protocol/commands", "jabber:iq:gateway",
    "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items",
    "vcard-temp", "jabber:iq:version", "jabber:x:data", "http://jabber.org/protocol/rsm",
]  # fmt: skip
FORM = Form(
    "A <form>",
    "with & without",
    tuple(
        Field(kind.value, f"“{kind.value}”", kind, choices=(("a", "<A>"), ("b", "B"))) for kind in FieldKind
    ),
)


@st.composite
def forms(draw: st.DrawFn) -> Element:
    form = Element("{jabber:x:data}x", {"type": draw(st.sampled_from(["submit", "cancel", "form", ""]))})
    for _ in range(draw(st.integers(0, 4))):
        attributes = {"var": draw(st.sampled_from(NAMES))} if draw(st.booleans()) else {}
        field = SubElement(form, "{jabber:x:data}field", attributes)
        for _ in range(draw(st.integers(0, 3))):
            SubElement(field, "{jabber:x:data}value").text = draw(st.one_of(st.none(), TEXTS))
    return form


@st.composite
def payloads(draw: st.DrawFn, kind: str, tag: str) -> tuple[str, Element]:
    element = Element(tag)
    for name in ("node", "action", "sessionid"):
        if draw(st.booleans()):
            known = ["register", "disconnect", "add", "unregister", "execute", "next", "cancel", "prev"]
            element.set(name, draw(st.one_of(st.sampled_from(known), st.text(max_size=8))))
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            element.append(draw(forms()))
        else:
            namespace = draw(st.sampled_from(NAMESPACES))
            name = draw(
                st.sampled_from(["nick", "password", "remove", "prompt", "set", "max", "after", "key"])
            )
            child = SubElement(element, f"{{{namespace}}}{name}")
            child.text = draw(st.one_of(st.none(), TEXTS))
            if name == "set":
                SubElement(child, f"{{{namespace}}}max").text = draw(TEXTS)
    return kind, element


def asked(request: tuple[str, str]) -> st.SearchStrategy[tuple[str, Element]]:
    return payloads(*request)


class Collected:
    """Takes handlers as `Iqs` does, for calling them by hand."""

    def __init__(self) -> None:
        self.handlers: dict[tuple[str, str], Handler] = {}

    def register(self, kind: str, tag: str, handler: Handler, deadline: float | None = None) -> None:
        self.handlers[kind, tag] = handler


class Desk:
    """The informing parts without a link, asked from the thread that hypothesis runs in."""

    def __init__(self, store: Store) -> None:
        self._loop = asyncio.get_running_loop()
        self.gateway, self.information = information_of(Town(), store)
        collected = Collected()
        for part in self.information.parts(_room_ping):
            part.register(collected)  # type: ignore[arg-type]
        self.handlers = collected.handlers

    def wait(self, answer: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(answer, self._loop).result(20)

    async def ask(self, kind: str, payload: Element, local: str, nick: str) -> None:
        """One request: what comes out is XML, of an answer or of a StanzaError."""
        to = (f"{local}@{DOMAIN}" if local else DOMAIN) + (f"/{nick}" if nick else "")
        element = Element("iq")
        element.append(payload)
        iq = InIq("u@example.test/r", to, local, DOMAIN, nick, "1", kind, "", payload, element)
        try:
            answer = await self.handlers[kind, payload.tag](iq)
        except StanzaError as error:
            fromstring(error.xml())
        else:
            if answer is not None:
                fromstring(answer)

    async def chat(self, said: list[str]) -> None:
        for text in said:
            assert await self.information.commands.answer("u@example.test/r", text)


async def _room_ping(iq: InIq) -> None:
    return None


@pytest_asyncio.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    desk = Desk(store)
    yield desk
    await desk.gateway.stop("")


async def test_any_payload_is_answered_or_refused(desk: Desk) -> None:
    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(sorted(desk.handlers)).flatmap(asked), LOCALS, st.sampled_from(["", "Bob"]))
    def holds(request: tuple[str, Element], local: str, nick: str) -> None:
        desk.wait(desk.ask(*request, local, nick))

    await asyncio.get_running_loop().run_in_executor(None, holds)


async def test_any_chat_is_answered(desk: Desk) -> None:
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        st.sampled_from(["register", "unregister", "add", "list", "connect", "x"]),
        st.lists(TEXTS, max_size=8),
    )
    def holds(word: str, said: list[str]) -> None:
        desk.wait(desk.chat(["cancel", word, *said]))

    await asyncio.get_running_loop().run_in_executor(None, holds)


@given(forms(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_form_is_judged(element: Element, known: bool) -> None:
    try:
        values = judge(FORM, read_form(element), known=known)
    except FormError as error:
        if error.field not in {field.name for field in FORM.fields}:
            raise
        return
    assert set(values) <= {field.name for field in FORM.fields}


@given(st.text(), st.text(), st.text())
def test_what_is_rendered_is_read_back_and_secrets_are_not(label: str, default: str, secret: str) -> None:
    fields = (
        Field("t", label, default=default.replace("\r", "")),
        Field("s", label, FieldKind.SECRET, default=f"SECRET{secret}"),
    )
    rendered = render_form(Form(label, label, fields))
    assert "SECRET" not in rendered or "SECRET" in label + default
    fromstring(rendered)
