"""Knows one XEP-0114 component stream: getting it, keeping it, reading stanzas from it and writing to it.

Messages and presences leave slixmpp's path where their element is parsed, before its matchers; what goes
out is rendered text. slixmpp's roster, keep-alive, send queue and reconnecting are not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import ssl
from collections.abc import Callable
from typing import cast
from xml.etree.ElementTree import Element

from slixmpp import ComponentXMPP
from slixmpp.xmlstream.stanzabase import StanzaBase
from slixmpp.xmlstream.tostring import tostring

from bridge.xmpp import escape, reconnect
from bridge.xmpp.elements import Elements, ParseError
from bridge.xmpp.inbound import BadStanza, InMessage, InPresence, read_message, read_presence
from bridge.xmpp.iqs import IqFailed, IqLost, Iqs, IqTimeout, StanzaError, stanza_error_xml
from bridge.xmpp.jids import BadJid, prepare
from bridge.xmpp.link_config import LinkConfig
from bridge.xmpp.output import Output
from bridge.xmpp.reconnect import LinkProblem, Retries

__all__ = ["ComponentLink", "LinkConfig"]

log = logging.getLogger(__name__)

PING = "<ping xmlns='urn:xmpp:ping'/>"

_STREAM = "{http://etherx.jabber.org/streams}"
_COMPONENT = "{jabber:component:accept}"
_CLIENT = "{jabber:client}"
_FOOTER = b"</stream:stream>"
_NOT_WELL_FORMED = (
    b"<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>" + _FOOTER
)
_MESSAGES = frozenset({_COMPONENT + "message", _CLIENT + "message"})
_CLOSE_SECONDS = 2.0
_NEVER_ANSWERED = frozenset({"error", "result"})


class ComponentLink(ComponentXMPP):
    """The stream of one domain. Make it inside a running loop, set the four callbacks, await `run()`.

    The callbacks are plain functions. One that raises never harms the stream: the error is logged,
    and the sender gets internal-server-error, or what a raised StanzaError says.
    """

    def __init__(self, config: LinkConfig) -> None:
        _pin_slixmpp_logs()
        super().__init__(  # type: ignore[no-untyped-call]
            config.domain, config.secret, config.host, config.port, fix_error_ns=True
        )
        self._leave_slixmpp_parts()
        self.config = config
        self.out = Output(config.max_buffer, self._overflowed, config.domain)
        self.write: Callable[[str], bool] = self.out.write
        """Send rendered, escaped stanzas; written once per loop tick, in order.

        Returns False, and drops them, while the stream is down: what must not be lost is kept by
        its owner until `on_up`, or until a fence says that the server has it."""
        self.iqs = Iqs(self.write, config.domain)
        self.on_message: Callable[[InMessage], None] = lambda _: None
        self.on_presence: Callable[[InPresence], None] = lambda _: None
        self.on_up: Callable[[], None] = lambda: None
        self.on_down: Callable[[LinkProblem], None] = lambda _: None
        self.problem: LinkProblem | None = None
        """why there is no stream; None while there is one, and before the first attempt"""
        self._why: LinkProblem | None = None
        self._elements: Elements | None = None
        self._heard = 0.0
        self._closing = False
        self._was_up = False
        self._stopping = asyncio.Event()
        self._connecting: asyncio.Timeout | None = None
        self._accepted: asyncio.Future[bool] | None = None
        self._ended = asyncio.Event()
        self._ended.set()
        self._lanes: dict[str, Callable[[Element], None]] = {
            _COMPONENT + "handshake": self._take_handshake,
            _STREAM + "error": self._take_stream_error,
        }
        for namespace in (_COMPONENT, _CLIENT):
            self._lanes[namespace + "presence"] = self._take_presence
            self._lanes[namespace + "iq"] = self._take_iq

    def _leave_slixmpp_parts(self) -> None:
        for handler in ("IM", "IMError", "Presence", "Stream Error"):
            self.remove_handler(handler)
        for kind in ("available", "dnd", "xa", "chat", "away"):
            self.del_event_handler(f"presence_{kind}", self._handle_available)
        for kind in ("unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe"):
            self.del_event_handler(f"presence_{kind}", getattr(self, f"_handle_{kind}"))
        self.del_event_handler("roster_subscription_request", self._handle_new_subscription)
        self.del_event_handler("session_start", self._start_keepalive)
        self.del_filter("out", self.roster._save_last_status)

    # ---- writing

    @property
    def up(self) -> bool:
        """Whether the server has accepted us and the stream is open."""
        return self.out.up

    @property
    def congested(self) -> bool:
        """Whether the server reads more slowly than we write; producers should `await drain()`."""
        return self.out.congested

    async def drain(self) -> None:
        """Wait while congested; returns when the stream breaks, too."""
        await self.out.drain()

    def send(self, data: StanzaBase | str, use_filters: bool = True) -> None:
        """Send a slixmpp stanza through the same buffer; its filters are not run."""
        if isinstance(data, StanzaBase):
            data = tostring(data.xml, xmlns=self.default_ns, stream=self, top_level=True)
        self.write(escape.legal(data))

    def send_raw(self, data: str | bytes) -> None:
        """Like `send`, for text that is XML already."""
        self.write(escape.legal(data.decode() if isinstance(data, bytes) else data))

    # ---- living

    async def run(self) -> None:
        """Connect and reconnect until `stop()`; why there is no stream is in `problem` and logged."""
        self.loop = asyncio.get_running_loop()
        retries = Retries(self.config.stable_seconds)
        while not self._stopping.is_set():
            lived = await self._live()
            if self._stopping.is_set():
                return
            with contextlib.suppress(TimeoutError):
                delay = retries.delay(lived, self.problem, random.random())
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def stop(self) -> None:
        """Send what waits, end the stream and close it, within 2 s; `run()` returns then."""
        self._stopping.set()
        if self._connecting is not None:
            self._connecting.reschedule(asyncio.get_running_loop().time())
        self._close(LinkProblem("stopped", "the gateway was stopped"))
        await self._ended.wait()
        await self.iqs.close()

    def give_up(self, reason: str) -> None:
        """Break this stream, since the server does not answer; `run()` makes a new one."""
        self._break(LinkProblem("silent", reason))

    async def _live(self) -> float:
        """One stream from connecting to its end; how many seconds it was up."""
        self._why = None
        try:
            failed = await self._connect()
            if failed is not None:
                self._report(LinkProblem("stopped", "stopped") if self._stopping.is_set() else failed)
                return 0
            began = self.loop.time()
            watcher = self.loop.create_task(self._watch())
            try:
                await self._ended.wait()
            finally:
                watcher.cancel()
            return self.loop.time() - began
        finally:
            if self.transport is not None:
                self.transport.abort()
                await self._ended.wait()

    async def _connect(self) -> LinkProblem | None:
        """Get to where the server has accepted us, or say why not."""
        config = self.config
        self._accepted = self.loop.create_future()
        try:
            async with asyncio.timeout(config.handshake_seconds) as self._connecting:
                context = ssl.create_default_context(cafile=config.ca_file) if config.tls else None
                hostname = config.host if config.tls else None
                await self.loop.create_connection(
                    lambda: self, config.host, config.port, ssl=context, server_hostname=hostname
                )
                if await self._accepted:
                    return None
        except (OSError, TimeoutError) as error:
            connected = not self._ended.is_set()
            return self._why or reconnect.from_exception(error, config.host, config.port, connected)
        finally:
            self._connecting = None
        return self._why or reconnect.CLOSED_EARLY

    async def _watch(self) -> None:
        """Notice a dead server: a ping after a silence, and a long wait for its answer."""
        config = self.config
        while True:
            quiet = self.loop.time() - self._heard
            if quiet < config.silence_seconds:
                await asyncio.sleep(config.silence_seconds - quiet)
                continue
            try:
                await self.iqs.request(config.server, config.domain, "get", PING, config.ping_seconds)
            except IqTimeout:
                if self.loop.time() - self._heard >= config.ping_seconds:
                    self.give_up(f"the server was silent, also to a ping, for {config.ping_seconds:g} s")
            except IqLost:
                return
            except IqFailed as error:
                # An error is an answer, too: the server lives.
                log.debug("%s answers a ping with %s", config.server, error.condition)

    def _overflowed(self) -> None:
        size = self.config.max_buffer
        self._break(LinkProblem("overflow", f"the server has not read for long: over {size} bytes wait"))

    def _break(self, why: LinkProblem) -> None:
        self._why = self._why or why
        if self.transport is not None:
            self.transport.abort()

    def _close(self, why: LinkProblem, last_words: bytes = _FOOTER) -> None:
        """End our side of the stream, and give the server 2 s to read it and to end its own.

        Closing the socket while the server still sends would make it drop what it has not read yet.
        """
        self._why = self._why or why
        transport = self.transport
        if transport is not None and not self._closing:
            self._closing = True
            self.out.flush()
            self.out.detach()
            transport.write(last_words)
            self.loop.call_later(_CLOSE_SECONDS, transport.abort)

    def _report(self, problem: LinkProblem) -> None:
        """Log a problem loudly once, and the same one again, or a wanted end, only quietly."""
        quiet = problem == self.problem or problem.kind == "stopped"
        self.problem = problem
        level = logging.INFO if quiet else logging.ERROR
        log.log(level, "%s: no stream to the XMPP server: %s", self.config.domain, problem.text)

    # ---- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport, send_event: bool = True) -> None:
        """Open the stream (XEP-0114 §3)."""
        self.transport = cast(asyncio.Transport, transport)
        self._ended.clear()
        self._closing = self._was_up = False
        self._heard = self.loop.time()
        self._elements = Elements(self.start_stream_handler, self._spawn_event, self._stream_ended)
        self.transport.write(self.stream_header.encode())

    def data_received(self, data: bytes | str) -> None:
        """Parse what came and pass on each whole stanza; broken XML ends the stream."""
        self._heard = self.loop.time()
        elements = self._elements
        if elements is None or self.transport is None:
            return
        try:
            elements.feed(data)
        except ParseError as error:
            self._elements = None
            why = reconnect.from_broken_xml(error, elements.begun, self.config.host, self.config.port)
            self._close(why, _NOT_WELL_FORMED)

    def _stream_ended(self) -> None:
        self._close(LinkProblem("closed", "the server ended the stream"))
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exception: BaseException | None) -> None:
        """Let go of all that belongs to this connection, then tell `on_down`."""
        self.out.detach()
        self._elements = None
        super().connection_lost(exception)
        self.iqs.lost()
        if self._accepted is not None and not self._accepted.done():
            self._accepted.set_result(False)
        if self._was_up:
            broken = f"the connection broke: {exception}" if exception else "the server closed the connection"
            why = self._why or LinkProblem("closed", broken)
            self._report(why)
            self._guarded("on_down", lambda: self.on_down(why))
        self._ended.set()

    def pause_writing(self) -> None:
        """The transport is full: `congested` from now on."""
        self.out.pause()

    def resume_writing(self) -> None:
        """The transport has room again."""
        self.out.resume()

    # ---- reading

    def start_stream_handler(self, xml: Element) -> None:
        """Answer the server's stream header with the handshake (XEP-0114 §3)."""
        self.stream_id = xml.get("id", "")
        digest = hashlib.sha1((self.stream_id + self.config.secret).encode(), usedforsecurity=False)
        if self.transport is not None:
            self.transport.write(f"<handshake>{digest.hexdigest()}</handshake>".encode())

    def _spawn_event(self, xml: Element) -> None:
        """Take one whole element from the stream; whatever goes wrong with it stays here. Hot."""
        tag = xml.tag
        try:
            if tag in _MESSAGES:
                try:
                    message = read_message(xml)
                except (BadJid, BadStanza) as error:
                    self._malformed(xml, error)
                else:
                    self.on_message(message)
            elif (lane := self._lanes.get(tag)) is not None:
                lane(xml)
            else:
                log.warning("the server sent an unknown element %s", tag)
        except StanzaError as error:
            self._answer(xml, error)
        except Exception:
            log.exception("handling the stanza with id %r failed", xml.get("id"))
            self._answer(xml, StanzaError("cancel", "internal-server-error"))

    def _take_presence(self, element: Element) -> None:
        try:
            presence = read_presence(element)
        except (BadJid, BadStanza) as error:
            self._malformed(element, error)
        else:
            self.on_presence(presence)

    def _take_iq(self, element: Element) -> None:
        try:
            self.iqs.receive(element)
        except BadJid as error:
            self._malformed(element, error)

    def _malformed(self, element: Element, error: Exception) -> None:
        """A stanza whose addresses make no sense: refuse it if its sender can be told, else drop it."""
        log.warning("a stanza with id %r was not taken: %s", element.get("id"), error)
        try:
            prepare(element.get("from", ""))
        except BadJid:
            return
        raise StanzaError("modify", "jid-malformed", str(error))

    def _answer(self, element: Element, error: StanzaError) -> None:
        """Send an error back, but never for an error or result: that would make a loop."""
        kind = element.get("type")
        gone = kind == "unavailable" and element.tag.endswith("}presence")
        if kind not in _NEVER_ANSWERED and not gone and element.get("from"):
            self.write(stanza_error_xml(error, element))

    def _take_handshake(self, element: Element) -> None:
        if self._accepted is None or self._accepted.done() or self.transport is None:
            return
        self._handle_handshake(element)  # type: ignore[no-untyped-call]
        self.problem = None
        self.out.attach(self.transport)
        self._was_up = True
        self._accepted.set_result(True)
        log.info("%s: the XMPP server at %s has accepted us", self.config.domain, self.config.host)
        self._guarded("on_up", self.on_up)

    def _take_stream_error(self, element: Element) -> None:
        self._close(reconnect.from_stream_error(element, self.config.domain))

    def _guarded(self, name: str, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            log.exception("%s failed", name)


def _pin_slixmpp_logs() -> None:
    """slixmpp's DEBUG logs hold message bodies and the handshake: never let them out."""
    logger = logging.getLogger("slixmpp")
    if logger.level < logging.INFO:
        logger.setLevel(logging.INFO)
