"""Users on XMPP in a soak: light connections to a real server, each with what it was shown of its rooms."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections import Counter, deque
from xml.etree.ElementTree import Element, XMLPullParser
from xml.sax.saxutils import escape, quoteattr

from bench.soak_irc import PATIENCE, Stuck, until
from bench.soak_ledger import Ledger, Stay, number_of, text_of

DOMAIN = "irc.example.test"
PASSWORD = "soak"
C = "{jabber:client}"
MUC_USER = "{http://jabber.org/protocol/muc#user}"
DELAY = "{urn:xmpp:delay}delay"
MAM = "{urn:xmpp:mam:2}result"
PING = "{urn:xmpp:ping}ping"
_resources = itertools.count(1)


def room_jid(room: int) -> str:
    """A room's address."""
    return f"#soak{room}%net@{DOMAIN}"


def puppet(nick: str) -> str:
    """A person on IRC."""
    return f"{nick}%net@{DOMAIN}"


class XmppUser(asyncio.Protocol):
    """One client. `stays` are the rooms it is in or enters; `nick` is shared by a person's clients."""

    def __init__(self, ledger: Ledger, person: str, host: str) -> None:
        self.ledger = ledger
        self.person = person
        self.host = host
        self.nick = person
        self.stays: dict[int, Stay] = {}
        self.own: dict[int, str] = {}
        self.errors: dict[str, str] = {}
        self.private: list[int] = []
        self.results: dict[str, list[int]] = {}
        self.times_lost: Counter[int] = Counter()
        self.online = False
        self._answers: dict[str, asyncio.Future[Element]] = {}
        self._ids = itertools.count(1)
        self._rooms = {room_jid(number): number for number in range(len(ledger.rooms))}
        self._top: asyncio.Queue[Element] | None = None
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._story: deque[str] = deque(maxlen=16)

    # -- the stream

    async def connect(self, port: int) -> None:
        """Log in and go online, each time by another resource: the answer to a client's leave may come after
        it is gone, and is not to meet its successor."""
        self._closed.clear()
        self._top = asyncio.Queue()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)
        self._header()
        await self._next()
        plain = base64.b64encode(f"\0{self.person}\0{PASSWORD}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")
        if not (await self._next()).tag.endswith("success"):
            raise Stuck(f"{self.person} may not log in")
        self._header()
        await self._next()
        self._top = None
        resource = f"<resource>soak{next(_resources)}</resource>"
        await self.ask("", f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{resource}</bind>", "set")
        await self.ask("", "<query xmlns='jabber:iq:roster'/>")
        self.online = True
        self.send("<presence/>")

    def _header(self) -> None:
        self._parser = XMLPullParser(("start", "end"))
        self._depth = 0
        self.send(
            f"<?xml version='1.0'?><stream:stream to='{self.host}' version='1.0' xmlns='jabber:client' "
            f"xmlns:stream='http://etherx.jabber.org/streams'>"
        )

    async def _next(self) -> Element:
        assert self._top is not None
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._top.get()
        except TimeoutError:
            raise Stuck(f"{self.person}: the server says nothing at the login") from None

    async def close(self) -> None:
        """Go offline in good order: all that the server had for us is read."""
        self.online = False
        self.send("<presence type='unavailable'/></stream:stream>")
        await until(self._closed.is_set, f"the end of {self.person}'s stream")
        for future in self._answers.values():
            future.cancel()
        self._answers.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.online:
            self.ledger.complain(f"{self.person}: the XMPP server closed the stream: {exc}")
        self._closed.set()

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        parser.feed(data)
        for event, element in parser.read_events():
            if event == "start":
                self._depth += 1
                if self._depth == 1:
                    self._root = element
                continue
            self._depth -= 1
            if self._depth == 1:
                self._take(element)
                self._root.clear()
            elif self._depth == 0 and self._transport is not None:
                self._transport.close()

    def send(self, text: str) -> None:
        """Send text as it is."""
        if self._transport is not None:
            self._transport.write(text.encode())

    # -- what comes

    def _take(self, stanza: Element) -> None:
        if self._top is not None:
            self._top.put_nowait(stanza)
        elif stanza.tag == f"{C}message":
            self._message(stanza)
        elif stanza.tag == f"{C}presence":
            self._presence(stanza)
        elif stanza.tag == f"{C}iq":
            self._iq(stanza)

    def _iq(self, iq: Element) -> None:
        if iq.get("type") in ("result", "error"):
            future = self._answers.pop(iq.get("id", ""), None)
            if future is not None and not future.done():
                future.set_result(iq)
            return
        kind, inner = "result", ""
        if iq.find(PING) is None:
            kind = "error"
            condition = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
            inner = f"<error type='cancel'>{condition}</error>"
        to = quoteattr(iq.get("from", self.host))
        self.send(f"<iq type='{kind}' id={quoteattr(iq.get('id', ''))} to={to}>{inner}</iq>")

    def _message(self, message: Element) -> None:
        sender, _, _resource = message.get("from", "").partition("/")
        body = message.findtext(f"{C}body")
        if message.get("type") == "error":
            self.errors[message.get("id", "")] = _error_text(message)
        elif (result := message.find(MAM)) is not None:
            self._archived(result)
        elif sender in self._rooms:
            self._in_room(self._rooms[sender], message, body)
        elif body is not None and "%" in sender:
            number = self._number(body)
            if number is not None:
                self.private.append(number)
                self.ledger.received[number] += 1

    def _number(self, body: str) -> int | None:
        try:
            return number_of(body)
        except ValueError as error:
            self.ledger.complain(f"{self.person}: {error}")
            return None

    def _in_room(self, room: int, message: Element, body: str | None) -> None:
        stay = self.stays.get(room)
        subject = message.findtext(f"{C}subject")
        if stay is not None and subject is not None and body is None:
            stay.subject = subject
            self._now(room, "in")
        number = self._number(body) if body is not None else None
        if number is None:
            return
        self.ledger.deliveries += 1
        if stay is None:
            self.ledger.complain(f"{self.person}: message {number} from room {room}, where it is not")
            return
        if self.ledger.in_room.get(number) != room:
            self.ledger.complain(f"{self.person}: message {number} came from room {room}")
        late = message.find(DELAY) is not None
        if stay.take(number, late) and not late and self.ledger.by[number] == self.person:
            self.ledger.reflected[number] += 1

    def _archived(self, result: Element) -> None:
        body = result.find(f".//{C}body")
        number = self._number(body.text or "") if body is not None else None
        if number is not None:
            self.results.setdefault(result.get("queryid", ""), []).append(number)

    def _presence(self, presence: Element) -> None:
        sender = presence.get("from", "").partition("/")[0]
        kind = presence.get("type")
        if kind == "subscribe":
            self.send(f"<presence type='subscribed' to={quoteattr(sender)}/>")
        room = self._rooms.get(sender)
        if room is None:
            return
        if kind == "error":
            self._now(room, "error: " + _error_text(presence))
            return
        codes = {status.get("code") for status in presence.iter(f"{MUC_USER}status")}
        if "110" not in codes:
            return
        if kind == "unavailable":
            self._out(room, codes)
        elif kind is None:
            self._here(room, presence.get("from", "").partition("/")[2])

    def _now(self, room: int, state: str) -> None:
        loop = asyncio.get_running_loop()
        self._story.append(f"{loop.time():.2f} room {room} {self.own.get(room)} -> {state}")
        self.own[room] = state

    def _here(self, room: int, nick: str) -> None:
        self.nick = nick
        if self.own.get(room) == "lost":
            self.begin(room, 0)
        self._now(room, "entered" if self.own.get(room) != "in" else "in")

    def _out(self, room: int, codes: set[str | None]) -> None:
        if "303" in codes:
            return
        how = "lost" if "332" in codes else "kicked" if "307" in codes else "left"
        self._now(room, how)
        self.times_lost[room] += how == "lost"
        stay = self.stays.pop(room, None)
        if stay is not None:
            stay.how = stay.how or how

    # -- what is asked

    def begin(self, room: int, asked: int, since: int | None = None) -> Stay:
        """A new stay in a room."""
        stay = self.stays[room] = Stay(self.person, room, asked, since)
        self.ledger.stays.append(stay)
        return stay

    async def ask(self, to: str, inner: str, kind: str = "get") -> Element:
        """An IQ and its answer. Raises Stuck."""
        id_ = f"q{next(self._ids)}"
        future = self._answers[id_] = asyncio.get_running_loop().create_future()
        address = f" to={quoteattr(to)}" if to else ""
        self.send(f"<iq type='{kind}' id='{id_}'{address}>{inner}</iq>")
        try:
            async with asyncio.timeout(PATIENCE):
                return await future
        except TimeoutError:
            raise Stuck(f"{self.person} waited {PATIENCE:g} s for the answer of {to} to {inner}") from None

    async def join(self, room: int, asked: int = 20, since: int | None = None, stamp: str = "") -> None:
        """Enter a room, and wait for the subject that ends the join."""
        history = f"since='{stamp}'" if stamp else f"maxstanzas='{asked}'"
        self._now(room, "entering")
        self.begin(room, asked, since)
        self.send(
            f"<presence to={quoteattr(room_jid(room) + '/' + self.nick)}>"
            f"<x xmlns='http://jabber.org/protocol/muc'><history {history}/></x></presence>"
        )
        await self.state(room, "in")

    async def state(self, room: int, wanted: str) -> None:
        """Wait until we are in a room, or out of it in that way. Raises Stuck."""
        await until(
            lambda: self.own.get(room) == wanted,
            lambda: (
                f"{self.person} to be {wanted!r} in room {room} (is {self.own.get(room)!r}); "
                f"so it came: {'; '.join(self._story)}"
            ),
        )

    async def leave(self, room: int) -> None:
        """Leave a room, and wait for the answer."""
        self.send(f"<presence type='unavailable' to={quoteattr(room_jid(room) + '/' + self.nick)}/>")
        await self.state(room, "left")

    def say(self, number: int, to: str, kind: str) -> None:
        """Send the message of that number."""
        body = escape(text_of(number))
        self.send(f"<message type='{kind}' id='m{number}' to={quoteattr(to)}><body>{body}</body></message>")

    async def archive(self, room: int, last: int = 0) -> list[int]:
        """The newest messages of a room's archive, or all of them, page by page (XEP-0313)."""
        found: list[int] = []
        after = "<before/>" if last else ""
        while True:
            query = f"a{next(self._ids)}"
            rsm = f"<set xmlns='http://jabber.org/protocol/rsm'><max>{last or 100}</max>{after}</set>"
            fin = await self.ask(
                room_jid(room), f"<query xmlns='urn:xmpp:mam:2' queryid='{query}'>{rsm}</query>", "set"
            )
            found += self.results.pop(query, [])
            if fin.get("type") != "result":
                self.ledger.complain(f"{self.person}: the archive of room {room} says: {_error_text(fin)}")
                return found
            if last or fin[0].get("complete") == "true":
                return found
            last_id = fin.findtext(".//{http://jabber.org/protocol/rsm}last")
            after = f"<after>{last_id}</after>"


def _error_text(stanza: Element) -> str:
    error = stanza.find(f"{C}error")
    if error is None:
        return "an error without a reason"
    return " ".join(f"{child.tag.rpartition('}')[2]} {child.text or ''}".strip() for child in error)
