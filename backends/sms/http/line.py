"""A line that texts come in by: a route of the admin's, or a user's own account with a provider."""

from __future__ import annotations

import asyncio

import msgspec

from backends.sms.carrier import Desk
from backends.sms.http.access import Access
from backends.sms.http.options import OWN
from bridge.api import Host, MessageId, Resolver

MOST_SEEN = 20_000

AGAIN = "#rc=5&rp=all"
"""Twilio's connection overrides: it repeats a request that we answer with an error (by itself it would not).
Not part of what it signs."""


class Line(msgspec.Struct, frozen=True):
    """One account with a provider, as far as receiving goes.

    `route` is the route's name, empty for a user's own account; then `host` may be that user's, and only
    `number` is theirs, and `hook` the word in their webhooks' address. `trouble` is set when a text could not
    be taken: it may have to be fetched. `seen` are the provider's ids of those that need not be."""

    route: str
    access: Access
    resolver: Resolver
    ca_file: str = ""
    host: Host | None = None
    number: str = ""
    hook: str = ""
    trouble: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    seen: dict[str, None] = msgspec.field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the ids of its messages begin with."""
        return self.route or OWN

    def webhook(self, external_url: str, kind: str) -> str:
        """The address for the provider to call; `kind` is `in` or `status`."""
        path = self.route or f"{OWN}/{self.hook}"
        return f"{external_url.rstrip('/')}/{path}/{kind}{AGAIN if self.access.is_twilio else ''}"

    def message_id(self, sid: str) -> MessageId:
        """A message's id, from the provider's."""
        return MessageId(f"{self.name} {sid}")

    def saw(self, sid: str) -> None:
        """A text need not be fetched."""
        self.seen[sid] = None
        while len(self.seen) > MOST_SEEN:
            del self.seen[next(iter(self.seen))]

    async def holder(self, desk: Desk, number: str) -> Host | None:
        """Whose number it is. Raises `ConnectionLost` while the database is out."""
        if self.host is not None:
            return self.host if number == self.number else None
        if self.number and number != self.number:
            return None
        return await desk.holder(number, self.route)
