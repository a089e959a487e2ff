"""Knows a gateway's XMPP side with a real core and a real store, where a test plays the XMPP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

from bridge.core.gateway import Gateway
from bridge.xmpp.inbound import read_message, read_presence
from bridge.xmpp.iqs import Iqs, StanzaError, stanza_error_xml
from bridge.xmpp.received import InMessage, InPresence
from bridge.xmpp.reconnect import LinkProblem
from tests.xmpp_rooms.village import Village, VillageSession

DOMAIN = "irc.example.test"
ROOM = f"#c%x.example@{DOMAIN}"
ALICE = "alice@example.test"
PHONE = f"{ALICE}/phone"
LAPTOP = f"{ALICE}/laptop"

MUC = "{http://jabber.org/protocol/muc}"
USER = "{http://jabber.org/protocol/muc#user}"
ADMIN = "{http://jabber.org/protocol/muc#admin}"
OWNER = "{http://jabber.org/protocol/muc#owner}"
MAM = "{urn:xmpp:mam:2}"
RSM = "{http://jabber.org/protocol/rsm}"
SID = "{urn:xmpp:sid:0}"
STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
OCCUPANT_ID = "{urn:xmpp:occupant-id:0}occupant-id"
DELAY = "{urn:xmpp:delay}delay"
IN = "{jabber:component:accept}"

Test = Callable[[ET.Element], object]


def parsed(xml: str) -> list[ET.Element]:
    """Stanzas as a server reads them; a test fails on anything that is not well-formed."""
    return list(ET.fromstring(f"<s xmlns='jabber:component:accept'>{xml}</s>"))


class Wire:
    """Stands where the component link is: what is written is parsed at once and kept."""

    def __init__(self) -> None:
        self.sent: list[ET.Element] = []
        self.news = asyncio.Event()
        self.iqs = Iqs(self.write, DOMAIN)
        self.up = True
        self.congested = False
        self.on_message: Callable[[InMessage], None] = lambda message: None
        self.on_presence: Callable[[InPresence], None] = lambda presence: None
        self.on_up: Callable[[], None] = lambda: None
        self.on_down: Callable[[LinkProblem], None] = lambda problem: None

    def write(self, text: str) -> bool:
        for element in parsed(text):
            is_fence = element.get("to") == "example.test" and element.find("{urn:xmpp:ping}ping") is not None
            if is_fence:
                self._answer(element)
            else:
                self.sent.append(element)
        self.news.set()
        return True

    def _answer(self, ping: ET.Element) -> None:
        result = parsed(f"<iq type='result' id='{ping.get('id')}' from='example.test' to='{DOMAIN}'/>")[0]
        asyncio.get_running_loop().call_soon(self.iqs.receive, result)

    async def drain(self) -> None:
        return

    def give_up(self, reason: str) -> None:
        raise AssertionError(reason)


class Stage:
    """`send` is what clients say, `next` what they get, in any order; `to_gateway` what they told itself."""

    def __init__(self, village: Village, gateway: Gateway, wire: Wire, to_gateway: list[InMessage]) -> None:
        self.village = village
        self.gateway = gateway
        self.wire = wire
        self.to_gateway = to_gateway

    @property
    def session(self) -> VillageSession:
        """Alice's."""
        return self.village.sessions[ALICE]

    def send(self, xml: str) -> None:
        """One stanza of a client's, as the link would take it."""
        (element,) = parsed(xml)
        name = element.tag.removeprefix(IN)
        try:
            if name == "message":
                self.wire.on_message(read_message(element))
            elif name == "presence":
                self.wire.on_presence(read_presence(element))
            else:
                self.wire.iqs.receive(element)
        except StanzaError as error:
            self.wire.write(stanza_error_xml(error, element))

    async def next(self, name: str, to: str = PHONE, test: Test = lambda element: True) -> ET.Element:
        """The first stanza of that name to `to` that passes, taken from what was sent."""
        async with asyncio.timeout(5):
            while True:
                for element in self.wire.sent:
                    if element.tag == IN + name and element.get("to") == to and test(element):
                        self.wire.sent.remove(element)
                        return element
                self.wire.news.clear()
                await self.wire.news.wait()

    async def command(self, kind: type) -> object:
        """The next command of that kind that the network got."""
        async with asyncio.timeout(5):
            while True:
                for command in self.village.commands:
                    if isinstance(command, kind):
                        self.village.commands.remove(command)
                        return command
                self.village.news.clear()
                await self.village.news.wait()

    async def ask(self, xml: str, kind: str, to: str, sender: str = PHONE) -> ET.Element:
        """The answer to an iq."""
        id_ = f"q{len(self.wire.sent)}-{id(xml)}"
        self.send(f"<iq type='{kind}' id='{id_}' from='{sender}' to='{to}'>{xml}</iq>")
        return await self.next("iq", sender, lambda element: element.get("id") == id_)

    async def join(self, resource: str = PHONE, nick: str = "Alice", inner: str = "") -> list[ET.Element]:
        """Enter the room; returns the whole sequence, ended by the subject."""
        before = len(self.wire.sent)
        self.send(
            f"<presence from='{resource}' to='{ROOM}/{nick}'><x xmlns='{MUC[1:-1]}'>{inner}</x></presence>"
        )
        await self.until(lambda: any(is_subject(one) and one.get("to") == resource for one in self.wire.sent))
        sequence = [one for one in self.wire.sent[before:] if one.get("to") == resource]
        self.wire.sent.clear()
        return sequence

    async def until(self, test: Callable[[], object]) -> None:
        """Wait for something that is sent."""
        async with asyncio.timeout(5):
            while not test():
                self.wire.news.clear()
                await self.wire.news.wait()

    async def settled(self) -> None:
        """Everything that was said before has been dealt with: a round trip through the core."""
        answer = await self.ask("<ping xmlns='urn:xmpp:none'/>", "get", DOMAIN)
        assert answer.get("type") == "error"


def is_subject(element: ET.Element) -> bool:
    return element.find(IN + "subject") is not None and element.find(IN + "body") is None


def codes(element: ET.Element) -> list[str]:
    """The status codes of a presence."""
    return [one.get("code", "") for one in element.iterfind(f"{USER}x/{USER}status")]


def item(element: ET.Element) -> ET.Element:
    """The item of a presence."""
    found = element.find(f"{USER}x/{USER}item")
    assert found is not None
    return found


def error(element: ET.Element) -> tuple[str, str, str]:
    """Type, condition and text of an error stanza."""
    assert element.get("type") == "error"
    found = element.find(IN + "error")
    assert found is not None
    conditions = [one.tag[len(STANZAS) :] for one in found if one.tag.startswith(STANZAS)]
    return found.get("type", ""), conditions[0], found.findtext(STANZAS + "text") or ""


def every(elements: list[ET.Element], name: str) -> Iterator[ET.Element]:
    return (one for one in elements if one.tag == IN + name)
