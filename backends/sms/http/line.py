"""A line that texts come in by: a route of the admin's, or a user's own account with a provider."""

from __future__ import annotations

import msgspec

from backends.sms.carrier import Desk
from backends.sms.http.access import Access
from backends.sms.http.options import OWN
from bridge.api import Host, MessageId, Resolver


class Line(msgspec.Struct, frozen=True):
    """One account with a provider, as far as receiving goes.

    `route` is the route's name, empty for a user's own account; then `host` may be that user's, and only
    `number` is theirs."""

    route: str
    access: Access
    resolver: Resolver
    ca_file: str = ""
    host: Host | None = None
    number: str = ""

    @property
    def name(self) -> str:
        """What the ids of its messages begin with."""
        return self.route or OWN

    def message_id(self, sid: str) -> MessageId:
        """A message's id, from the provider's."""
        return MessageId(f"{self.name} {sid}")

    async def holder(self, desk: Desk, number: str) -> Host | None:
        """Whose number it is. Raises `ConnectionLost` while the database is out."""
        if self.host is not None:
            return self.host if number == self.number else None
        if self.number and number != self.number:
            return None
        return await desk.holder(number, self.route)
