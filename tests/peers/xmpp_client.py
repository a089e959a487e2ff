"""Knows how a test is a real XMPP client: log in, send raw XML, wait for stanzas, roster, IQs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from slixmpp import ClientXMPP, Iq, Message, Presence
from slixmpp.xmlstream import ElementBase
from slixmpp.xmlstream.stanzabase import StanzaBase

PROMPT_SECONDS = 10.0

Predicate = Callable[[StanzaBase], object]


class XmppServer(Protocol):
    """What Prosody and ejabberd have in common for a client."""

    @property
    def c2s_port(self) -> int: ...
    def jid(self, user: str) -> str: ...
    def password(self, user: str) -> str: ...


class XmppClient:
    """One resource logged in to a server on loopback.

    `stanzas` holds every message, presence and IQ that came; `wait` looks at those not yet waited
    for, in order, so that two waits never see the same stanza. Nothing is answered but IQ requests
    (slixmpp does that); subscriptions are left to the test. `client` is the slixmpp object.
    """

    def __init__(self, jid: str, password: str, port: int) -> None:
        self.client = ClientXMPP(jid, password)
        self.client.roster.auto_authorize = None
        self.client.roster.auto_subscribe = False
        self.client.enable_starttls = False
        self.client.enable_direct_tls = False
        self.client.enable_plaintext = True
        self.client.plugin["feature_mechanisms"].unencrypted_plain = True
        self.stanzas: list[StanzaBase] = []
        self._port = port
        self._seen = 0
        self._news = asyncio.Event()
        self._ids = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Iq]] = {}
        self._failure: str | None = None
        self._online = asyncio.Event()
        self.client.add_filter("in", self._take)
        self.client.add_event_handler("session_start", lambda _: self._online.set())
        self.client.add_event_handler("disconnected", lambda why: self._fail(f"disconnected: {why}"))
        self.client.add_event_handler("failed_all_auth", lambda _: self._fail("the server refused the login"))

    def _take(self, stanza: StanzaBase) -> StanzaBase | None:
        if isinstance(stanza, Message | Presence | Iq):
            answer = self._answers.pop(stanza["id"], None) if isinstance(stanza, Iq) else None
            if answer is not None and stanza["type"] in ("result", "error"):
                if not answer.done():
                    answer.set_result(stanza)
                return None
            self.stanzas.append(stanza)
            self._news.set()
        return stanza

    def _fail(self, why: str) -> None:
        self._failure = why
        self._news.set()
        self._online.set()

    @property
    def gone(self) -> bool:
        """Whether the server is, or has ended the session."""
        return self._failure is not None

    @property
    def jid(self) -> str:
        """The full JID, as the server bound it."""
        return str(self.client.boundjid.full)

    @property
    def bare(self) -> str:
        return str(self.client.boundjid.bare)

    async def connect(self, *, presence: bool = True) -> None:
        """Log in; `presence=False` stays invisible. Raises AssertionError when it cannot."""
        self.client.connect("127.0.0.1", self._port)
        async with asyncio.timeout(PROMPT_SECONDS):
            await self._online.wait()
        if self._failure:
            raise AssertionError(f"{self.client.requested_jid}: {self._failure}")
        if presence:
            self.send("<presence/>")
            await self.wait(lambda s: s.name == "presence" and str(s["from"]) == self.jid)

    async def disconnect(self, *, abruptly: bool = False) -> None:
        """Log out, or vanish without a word. A connection that is gone already is fine."""
        if abruptly:
            self.client.abort()
        await self.client.disconnect(wait=1.0)
        if (sending := self.client._run_out_filters) is not None:
            sending.cancel()  # slixmpp's own; it does not wait until that has ended, and Python complains
            await asyncio.wait([sending], timeout=1.0)

    def send(self, xml: str) -> None:
        """Send raw XML as it stands (the default namespace is jabber:client)."""
        self.client.send_raw(xml)

    def say(self, to: str, body: str, kind: str = "chat") -> str:
        """Send a message; returns its id."""
        message = self.client.make_message(mto=to, mbody=body, mtype=kind)
        message["id"] = self.new_id()
        self.client.send_raw(str(message))
        return str(message["id"])

    def new_id(self) -> str:
        return f"t{next(self._ids)}"

    async def wait(self, predicate: Predicate, seconds: float = PROMPT_SECONDS, what: str = "") -> StanzaBase:
        """The next stanza for which `predicate` is true, skipping others.

        Raises AssertionError with all that came since the last wait if none comes in time.
        """
        start = self._seen
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    while self._seen < len(self.stanzas):
                        stanza = self.stanzas[self._seen]
                        self._seen += 1
                        if predicate(stanza):
                            return stanza
                    if self._failure:
                        break
                    await self._news.wait()
        why = self._failure or f"{seconds} s are over"
        came = "\n  ".join(str(stanza) for stanza in self.stanzas[start:]) or "(nothing)"
        wanted = what or getattr(predicate, "what", "a stanza")
        raise AssertionError(f"{self.jid} waited for {wanted}: {why}; since the last wait came:\n  {came}")

    async def iq(
        self, to: str | None, payload: str, kind: str = "get", seconds: float = PROMPT_SECONDS
    ) -> Iq:
        """Ask and return the answer, a result or an error (`answer["type"]`), never raising for an error.

        The answer is not among `stanzas`.
        """
        request_id = self.new_id()
        answer: asyncio.Future[Iq] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = answer
        target = f" to='{to}'" if to else ""
        self.send(f"<iq type='{kind}' id='{request_id}'{target}>{payload}</iq>")
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise AssertionError(f"{self.jid}: no answer from {to} in {seconds} s to {payload}") from None

    async def roster(self) -> dict[str, str]:
        """The roster as the server has it now: bare JID -> subscription."""
        answer = await self.iq(None, "<query xmlns='jabber:iq:roster'/>")
        items = answer.xml.iter("{jabber:iq:roster}item")
        return {item.get("jid", ""): item.get("subscription", "") for item in items}

    async def sync(self) -> None:
        """Return once the server has handled all that was sent before (a ping to it)."""
        await self.iq(self.client.boundjid.domain, "<ping xmlns='urn:xmpp:ping'/>")


def _named(predicate: Predicate, what: str) -> Predicate:
    predicate.what = what  # type: ignore[attr-defined]
    return predicate


def message(from_: str | None = None, body: str | None = None, kind: str | None = None) -> Predicate:
    """For `wait`: a message; `from_` is a full or a bare JID."""

    def check(stanza: StanzaBase) -> bool:
        return (
            stanza.name == "message"
            and (from_ is None or from_ in (str(stanza["from"]), str(stanza["from"].bare)))
            and (body is None or stanza["body"] == body)
            and (kind is None or stanza["type"] == kind)
        )

    return _named(check, f"a message (from={from_!r}, body={body!r}, type={kind!r})")


def presence(from_: str | None = None, kind: str | None = None) -> Predicate:
    """For `wait`: a presence. `kind` is its type attribute, "" for plain availability."""

    def check(stanza: StanzaBase) -> bool:
        return (
            stanza.name == "presence"
            and (from_ is None or from_ in (str(stanza["from"]), str(stanza["from"].bare)))
            and (kind is None or stanza.xml.get("type", "") == kind)
        )

    return _named(check, f"a presence (from={from_!r}, type={kind!r})")


def statuses(stanza: ElementBase) -> set[int]:
    """The MUC status codes in a presence or message (XEP-0045 §15.6.2)."""
    codes = stanza.xml.iter("{http://jabber.org/protocol/muc#user}status")
    return {int(code.get("code", "0")) for code in codes}


@contextlib.asynccontextmanager
async def xmpp_client(
    server: XmppServer, user: str = "alice", resource: str = "", *, online: bool = True
) -> AsyncIterator[XmppClient]:
    """A client logged in to a running Prosody or ejabberd; `online=False` sends no presence."""
    jid = server.jid(user) + (f"/{resource}" if resource else "")
    client = XmppClient(jid, server.password(user), server.c2s_port)
    await client.connect(presence=online)
    try:
        yield client
    finally:
        await client.disconnect()
