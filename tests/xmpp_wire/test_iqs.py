"""Requests both ways: answers matched by id and both addresses, deadlines, bounds, refusals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from xml.etree import ElementTree as ET

import pytest

from bridge.xmpp.iqs import InIq, IqFailed, IqLost, Iqs, IqTimeout, StanzaError, stanza_error_xml

US = "irc.example.test"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
PING = "{urn:xmpp:ping}ping"


class Wire:
    """Keeps what is written; `up` says whether writing works."""

    def __init__(self) -> None:
        self.sent: list[ET.Element] = []
        self.up = True
        self.arrived = asyncio.Event()

    def write(self, text: str) -> bool:
        if self.up:
            self.sent.append(ET.fromstring(text))
            self.arrived.set()
        return self.up

    async def next(self) -> ET.Element:
        async with asyncio.timeout(5):
            while not self.sent:
                self.arrived.clear()
                await self.arrived.wait()
        return self.sent.pop(0)


def iq(inner: str = "", **attributes: str) -> ET.Element:
    element = ET.fromstring(f"<iq xmlns='jabber:component:accept'>{inner}</iq>")
    element.attrib.update({key.rstrip("_"): value for key, value in attributes.items()})
    return element


def condition(stanza: ET.Element) -> tuple[str, str]:
    error = stanza.find("error")
    assert error is not None
    return error.get("type", ""), error[0].tag.removeprefix(f"{{{STANZAS}}}")


async def test_an_answer_counts_only_from_whom_we_asked() -> None:
    wire = Wire()
    iqs = Iqs(wire.write, US)
    asking = asyncio.create_task(iqs.request("Romeo@Example.test/o", f"nick@{US}", "get", "<q xmlns='x'/>"))
    asked = await wire.next()
    assert (asked.get("type"), asked.get("to"), asked.get("from")) == (
        "get", "Romeo@Example.test/o", f"nick@{US}",
    )  # fmt: skip
    id_ = asked.get("id", "")
    iqs.receive(iq(type="result", id=id_, from_="mallory@example.test", to=f"nick@{US}"))
    iqs.receive(iq(type="result", id=id_, from_="romeo@example.test/o", to=f"other@{US}"))
    iqs.receive(iq(type="result", id="another", from_="romeo@example.test/o", to=f"nick@{US}"))
    assert iqs.pending == 1
    iqs.receive(
        iq("<q xmlns='x'>yes</q>", type="result", id=id_, from_="romeo@example.test/o", to=f"nick@{US}")
    )
    assert (await asking)[0].text == "yes"
    iqs.receive(iq(type="result", id=id_, from_="romeo@example.test/o", to=f"nick@{US}"))
    assert iqs.pending == 0


async def test_an_error_is_raised_with_its_words() -> None:
    wire = Wire()
    iqs = Iqs(wire.write, US)
    asking = asyncio.create_task(iqs.request("a@b/c", US, "set", "<q/>"))
    id_ = (await wire.next()).get("id", "")
    iqs.receive(
        iq(
            f"<error type='auth'><forbidden xmlns='{STANZAS}'/><text xmlns='{STANZAS}'>no</text></error>",
            type="error", id=id_, from_="a@b/c", to=US,
        )
    )  # fmt: skip
    with pytest.raises(IqFailed) as failed:
        await asking
    assert (failed.value.condition, failed.value.text, failed.value.type) == ("forbidden", "no", "auth")


async def test_deadlines_of_many_requests_fire_in_their_order() -> None:
    wire = Wire()
    iqs = Iqs(wire.write, US)
    order: list[float] = []

    async def ask(seconds: float) -> None:
        with pytest.raises(IqTimeout):
            await iqs.request("a@b", US, "get", "<q/>", seconds)
        order.append(seconds)

    patient = iqs.submit("a@b", US, "get", "<q/>", None)
    await asyncio.gather(*[ask(seconds) for seconds in (0.6, 0.05, 0.3)])
    assert order == [0.05, 0.3, 0.6]
    assert iqs.pending == 1
    iqs.lost()
    assert isinstance(patient.exception(), IqLost)


async def test_a_cancelled_request_is_forgotten() -> None:
    wire = Wire()
    iqs = Iqs(wire.write, US)
    asking = asyncio.create_task(iqs.request("a@b", US, "get", "<q/>", None))
    await wire.next()
    asking.cancel()
    await asyncio.wait([asking])
    assert iqs.pending == 0


async def test_asking_while_the_stream_is_down() -> None:
    wire = Wire()
    wire.up = False
    with pytest.raises(IqLost):
        await Iqs(wire.write, US).request("a@b", US, "get", "<q/>")


async def answered(
    iqs: Iqs, wire: Wire, inner: str = "<ping xmlns='urn:xmpp:ping'/>", type_: str = "get"
) -> ET.Element:
    request = iq(inner, type=type_, id="1", from_="a@b/c", to=f"nick@{US}/r")
    try:
        iqs.receive(request)
    except StanzaError as error:
        wire.write(stanza_error_xml(error, request))
    return await wire.next()


async def test_a_handler_answers() -> None:
    wire = Wire()
    iqs = Iqs(wire.write, US)
    seen: list[InIq] = []

    async def ping(request: InIq) -> str | None:
        seen.append(request)
        return None

    iqs.register("get", PING, ping)
    result = await answered(iqs, wire)
    assert {"type": "result", "id": "1", "from": f"nick@{US}/r", "to": "a@b/c"} == result.attrib
    assert (seen[0].to_local, seen[0].to_domain, seen[0].to_resource) == ("nick", US, "r")
    assert seen[0].payload.tag == PING
    with pytest.raises(ValueError, match="two handlers"):
        iqs.register("get", PING, ping)
    assert condition(await answered(iqs, wire, type_="set")) == ("cancel", "feature-not-implemented")
    assert condition(await answered(iqs, wire, "<x/>")) == ("cancel", "feature-not-implemented")
    assert condition(await answered(iqs, wire, "<a/><b/>")) == ("modify", "bad-request")


@pytest.mark.parametrize(
    ("raised", "answer"),
    [
        (StanzaError("modify", "not-acceptable", "<why>", "<app xmlns='x'/>"), ("modify", "not-acceptable")),
        (RuntimeError("a bug"), ("cancel", "internal-server-error")),
        (TimeoutError(), ("cancel", "internal-server-error")),
    ],
)
async def test_a_handler_that_raises(raised: Exception, answer: tuple[str, str]) -> None:
    wire = Wire()
    iqs = Iqs(wire.write, US)

    async def handler(_: InIq) -> str | None:
        raise raised

    iqs.register("get", PING, handler)
    reply = await answered(iqs, wire)
    assert condition(reply) == answer
    if isinstance(raised, StanzaError):
        assert reply.findtext(f"error/{{{STANZAS}}}text") == "<why>"
        assert reply.find("error/{x}app") is not None


async def test_a_handler_that_takes_too_long_and_a_sender_who_asks_too_much() -> None:
    wire = Wire()
    iqs = Iqs(wire.write, US, per_sender=3, deadline=0.1)

    async def handler(_: InIq) -> str | None:
        await asyncio.Event().wait()
        return None

    iqs.register("get", PING, handler)
    for _ in range(3):
        iqs.receive(iq("<ping xmlns='urn:xmpp:ping'/>", type="get", id="slow", from_="a@b/d", to=US))
    assert condition(await answered(iqs, wire)) == ("wait", "resource-constraint")
    for _ in range(3):
        assert condition(await wire.next()) == ("wait", "remote-server-timeout")
    await asyncio.sleep(0)
    iqs.receive(iq("<ping xmlns='urn:xmpp:ping'/>", type="get", id="again", from_="a@b/d", to=US))
    await iqs.close()
    assert wire.sent == []


async def test_a_request_that_fails_leaves_nothing_to_look_for() -> None:
    """Its error, its frame and its future do not hold each other."""
    wire = Wire()
    iqs = Iqs(wire.write, US)

    async def ask() -> None:
        with contextlib.suppress(IqFailed):
            await iqs.request("a@b", US, "get", "<q/>")

    gc.collect()
    gc.disable()
    try:
        wire.up = False
        for _ in range(10):
            await ask()
        assert gc.collect() == 0
    finally:
        gc.enable()
