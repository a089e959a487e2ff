"""Knows both directions of IQ (RFC 6120 §8.2.3): whose answer we wait for, and who here answers a request.

slixmpp keeps one linear matcher per awaited answer (2 ms a stanza with 1,000 open); here it is one dict.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal
from xml.etree.ElementTree import Element

from msgspec import Struct

from bridge.core.storage import Unavailable
from bridge.xmpp import escape
from bridge.xmpp.inbound import read_error
from bridge.xmpp.jids import BadJid, bare, prepare, split

__all__ = ["InIq", "IqFailed", "IqLost", "IqTimeout", "Iqs", "StanzaError", "stanza_error_xml"]

log = logging.getLogger(__name__)

_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_REQUEST_TYPES = ("get", "set")

ErrorType = Literal["auth", "cancel", "continue", "modify", "wait"]
RequestType = Literal["get", "set"]
Key = tuple[str, str, str]
"""id, who answers, whom"""


class IqFailed(Exception):
    """The answer to our request was an error; `condition` as in RFC 6120 §8.3.3, `type` as in §8.3.2."""

    def __init__(self, condition: str, text: str = "", kind: str = "cancel") -> None:
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition
        self.text = text
        self.type = kind


class IqTimeout(IqFailed):
    """No answer came in time; whether the request was carried out is unknown."""

    def __init__(self, seconds: float) -> None:
        super().__init__("remote-server-timeout", f"no answer within {seconds:g} s", "wait")


class IqLost(IqFailed):
    """The stream was down, or broke before the answer came; whether it was carried out is unknown."""

    def __init__(self) -> None:
        super().__init__("recipient-unavailable", "the stream to the XMPP server broke", "wait")


class StanzaError(Exception):
    """Raised by a handler to refuse a stanza: RFC 6120 §8.3. `app_condition_xml` is rendered XML."""

    def __init__(self, kind: ErrorType, condition: str, text: str = "", app_condition_xml: str = "") -> None:
        super().__init__(f"{condition}: {text}" if text else condition)
        self.type = kind
        self.condition = condition
        self.text = text
        self.app_condition_xml = app_condition_xml

    def xml(self) -> str:
        """The `<error/>` element alone."""
        text = f"<text xmlns='{_STANZAS}'>{escape.text(self.text)}</text>" if self.text else ""
        condition = f"<{self.condition} xmlns='{_STANZAS}'/>"
        return f"<error type='{self.type}'>{condition}{text}{self.app_condition_xml}</error>"


class InIq(Struct, frozen=True):
    """A request to us. Addresses are normalised; `payload` is the one child, `element` the whole IQ."""

    sender: str
    to: str
    to_local: str
    to_domain: str
    to_resource: str
    id: str
    type: str
    lang: str
    payload: Element
    element: Element


Handler = Callable[[InIq], Awaitable[str | None]]
"""Answers a request with the rendered payload of the result, None for an empty one; may raise StanzaError."""


def stanza_error_xml(error: StanzaError, original: Element) -> str:
    """The whole error stanza that answers `original`, a message, presence or IQ; its content is not echoed.

    Never call it for a stanza that is an error or result itself: that makes loops (RFC 6120 §8.3.1).
    """
    name = original.tag.rpartition("}")[2]
    attributes = "".join(
        f" {name}='{escape.attr(value)}'"
        for name, value in (
            ("id", original.get("id")),
            ("from", original.get("to")),
            ("to", original.get("from")),
        )
        if value
    )
    return f"<{name} type='error'{attributes}>{error.xml()}</{name}>"


class _Deadlines:
    """One timer for any number of deadlines, kept in buckets of a quarter second."""

    STEP = 0.25

    def __init__(self, expire: Callable[[Key], None]) -> None:
        self._expire = expire
        self._buckets: dict[int, set[Key]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0

    def add(self, key: Key, seconds: float) -> int:
        """Start a deadline; returns the bucket for `remove`."""
        now = asyncio.get_running_loop().time()
        bucket = math.ceil((now + seconds) / self.STEP)
        self._buckets.setdefault(bucket, set()).add(key)
        if self._timer is None or bucket < self._armed:
            self._arm(bucket)
        return bucket

    def remove(self, key: Key, bucket: int) -> None:
        keys = self._buckets.get(bucket)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._buckets[bucket]

    def stop(self) -> None:
        self._buckets.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, bucket: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = bucket
        self._timer = asyncio.get_running_loop().call_at(bucket * self.STEP, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for bucket in [bucket for bucket in self._buckets if bucket * self.STEP <= now]:
            for key in self._buckets.pop(bucket):
                self._expire(key)
        if self._buckets and self._timer is None:
            self._arm(min(self._buckets))


class _Waiting(Struct):
    future: asyncio.Future[Element]
    seconds: float = 0
    bucket: int | None = None


class Iqs:
    """All IQ of one stream. `write` takes rendered XML and says whether the stream is up."""

    def __init__(
        self, write: Callable[[str], bool], domain: str, *, per_sender: int = 50, deadline: float = 60
    ) -> None:
        self._write = write
        self._domain = domain
        self._per_sender = per_sender
        self._deadline = deadline
        self._waiting: dict[Key, _Waiting] = {}
        self._deadlines = _Deadlines(self._expire)
        # Nobody may forge an answer by guessing an id: the key has the answerer's address, too.
        self._prefix = os.urandom(6).hex()
        self._count = 0
        self._handlers: dict[tuple[str, str], tuple[Handler, float | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: Counter[str] = Counter()

    # ---- requests that we make

    async def request(
        self,
        to: str,
        from_: str,
        kind: RequestType,
        payload_xml: str,
        timeout: float | None = 30,  # noqa: ASYNC109 (the one timer serves all requests)
    ) -> Element:
        """Ask `to` in the name of `from_` and wait; returns the result's whole `<iq/>`.

        `timeout` is in seconds, None waits as long as the stream lives. Raises IqFailed (for an
        error), IqTimeout, IqLost, all of them IqFailed; BadJid for an address that is none.
        """
        key, future = self._ask(to, from_, kind, payload_xml, timeout)
        try:
            return await future
        finally:
            self._forget(key)
            del future  # an error in it would hold this frame, and so itself

    def submit(
        self,
        to: str,
        from_: str,
        kind: RequestType,
        payload_xml: str,
        timeout: float | None = 30,
    ) -> asyncio.Future[Element]:
        """The same without waiting: the request is written at once, the future has the outcome."""
        return self._ask(to, from_, kind, payload_xml, timeout)[1]

    def _ask(
        self, to: str, from_: str, kind: str, payload_xml: str, timeout: float | None
    ) -> tuple[Key, asyncio.Future[Element]]:
        self._count += 1
        id_ = f"{self._prefix}-{self._count:x}"
        key = (id_, prepare(to), prepare(from_))
        future: asyncio.Future[Element] = asyncio.get_running_loop().create_future()
        addresses = f"from='{escape.attr(from_)}' to='{escape.attr(to)}'"
        if not self._write(f"<iq type='{kind}' id='{id_}' {addresses}>{payload_xml}</iq>"):
            future.set_exception(IqLost())
        elif timeout is None:
            self._waiting[key] = _Waiting(future)
        else:
            self._waiting[key] = _Waiting(future, timeout, self._deadlines.add(key, timeout))
        return key, future

    def _forget(self, key: Key) -> asyncio.Future[Element] | None:
        """Take a request off the books; its future if that is still open."""
        waiting = self._waiting.pop(key, None)
        if waiting is None:
            return None
        if waiting.bucket is not None:
            self._deadlines.remove(key, waiting.bucket)
        return None if waiting.future.done() else waiting.future

    def _expire(self, key: Key) -> None:
        seconds = self._waiting[key].seconds if key in self._waiting else 0
        future = self._forget(key)
        if future is not None:
            future.set_exception(IqTimeout(seconds))

    @property
    def pending(self) -> int:
        """How many requests of ours wait for an answer."""
        return len(self._waiting)

    # ---- requests that others make

    def register(self, kind: RequestType, tag: str, handler: Handler, deadline: float | None = None) -> None:
        """Let `handler` answer the requests whose payload is `tag` (`{namespace}name`), whoever they are to.

        It may take `deadline` seconds (else the default), then the sender hears remote-server-timeout.
        Raises ValueError if the kind of request has its handler already.
        """
        if (kind, tag) in self._handlers:
            raise ValueError(f"two handlers for {kind} {tag}")
        self._handlers[kind, tag] = (handler, deadline)

    # ---- what the link calls

    def receive(self, element: Element) -> None:
        """Take one received `<iq/>`. Raises BadJid for a sender that is none, StanzaError to refuse it."""
        sender = prepare(element.get("from") or "")
        kind = element.get("type")
        if kind in ("result", "error"):
            self._settle(element, sender)
            return
        to = element.get("to")
        if not to:
            raise StanzaError("modify", "bad-request", "the request has no 'to' address")
        try:
            to = prepare(to)
        except BadJid as error:
            raise StanzaError("modify", "jid-malformed", str(error)) from error
        if kind not in _REQUEST_TYPES or len(element) != 1:
            raise StanzaError("modify", "bad-request", "a request is a get or set with one child")
        self._dispatch(element, sender, to, kind)

    def lost(self) -> None:
        """The stream broke: no answer can come any more. Handlers under way go on."""
        waiting, self._waiting = self._waiting, {}
        self._deadlines.stop()
        for each in waiting.values():
            if not each.future.done():
                each.future.set_exception(IqLost())

    async def close(self) -> None:
        """Stop the handlers under way and wait until they are gone."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _settle(self, element: Element, sender: str) -> None:
        key = (element.get("id", ""), sender, prepare(element.get("to") or self._domain))
        future = self._forget(key)
        if future is None:
            log.debug("answer to no request of ours, id %r", key[0])
        elif element.get("type") == "result":
            future.set_result(element)
        else:
            error = read_error(element)
            future.set_exception(IqFailed(error.condition or "undefined-condition", error.text, error.type))

    def _dispatch(self, element: Element, sender: str, to: str, kind: str) -> None:
        payload = element[0]
        handler, deadline = self._handlers.get((kind, payload.tag), (None, None))
        if handler is None:
            raise StanzaError("cancel", "feature-not-implemented")
        who = bare(sender)
        if self._under_way[who] >= self._per_sender:
            raise StanzaError("wait", "resource-constraint", "too many requests of yours are under way")
        iq = InIq(
            sender, to, *split(to), element.get("id", ""), kind, element.get(_LANG, ""), payload, element
        )
        self._under_way[who] += 1
        task = asyncio.get_running_loop().create_task(self._answer(iq, handler, deadline or self._deadline))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(done, who))

    def _finished(self, task: asyncio.Task[None], who: str) -> None:
        self._tasks.discard(task)
        self._under_way[who] -= 1
        if not self._under_way[who]:
            del self._under_way[who]

    async def _answer(self, iq: InIq, handler: Handler, deadline: float) -> None:
        try:
            async with asyncio.timeout(deadline) as limit:
                payload = await handler(iq)
        except StanzaError as error:
            self._write(stanza_error_xml(error, iq.element))
        except Unavailable as error:
            refusal = StanzaError("wait", "resource-constraint", str(error))
            self._write(stanza_error_xml(refusal, iq.element))
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                log.warning("request %r of %s not answered in %g s", iq.id, bare(iq.sender), deadline)
                refusal = StanzaError("wait", "remote-server-timeout")
            else:
                log.exception("request %r (%s) of %s failed", iq.id, iq.payload.tag, bare(iq.sender))
                refusal = StanzaError("cancel", "internal-server-error")
            self._write(stanza_error_xml(refusal, iq.element))
        else:
            head = f"<iq type='result' id='{escape.attr(iq.id)}' from='{escape.attr(iq.to)}'"
            self._write(f"{head} to='{escape.attr(iq.sender)}'>{payload or ''}</iq>")
