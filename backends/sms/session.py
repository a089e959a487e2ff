"""Knows an account while it is connected. Texts come in by the carriers, whether or not this runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial

from backends.sms import addresses
from backends.sms.carrier import Carrier, Desk
from backends.sms.choices import Choices
from backends.sms.daily import Daily
from backends.sms.departures import Departures, Limits
from backends.sms.keeping import kept
from backends.sms.values import OWN_ROUTE, OwnNumber
from bridge.api import (
    Answer,
    AskPing,
    AskProfile,
    AuthFailed,
    Capabilities,
    Chat,
    Command,
    Connected,
    ConnectionLost,
    Host,
    Later,
    Outcome,
    Query,
    QueryFailed,
    Reason,
    Refused,
    SendMessage,
    Support,
)

BUSY_SECONDS = 10.0
NO_NUMBER = "You have no number here any more. Ask the gateway's admin for one, then register again."


class SmsSession:
    """See `bridge.api.Session`. `carriers` are by route, the user's own among them."""

    def __init__(
        self,
        host: Host,
        numbers: tuple[OwnNumber, ...],
        carriers: Mapping[str, Carrier],
        choices: Choices,
        limits: Limits,
        texts_per_day: int,
        desk: Desk,
    ) -> None:
        self._host = host
        self._desk = desk
        self._numbers = numbers
        self._carriers = carriers
        self._daily = Daily(host, texts_per_day)
        self._departures = Departures(host, numbers, carriers, choices, self._daily, limits)
        self._capabilities = capabilities(carriers[each.route] for each in numbers if each.route in carriers)
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """See `bridge.api.Session.run`."""
        if not self._numbers:
            raise AuthFailed(NO_NUMBER)
        await self._daily.load()
        for own in self._numbers:
            if own.route in self._carriers:
                await self._carriers[own.route].connected(self._host, own.number)
        self._host.emit(Connected(", ".join(each.number for each in self._numbers)))
        tasks = [asyncio.create_task(self._daily.keep())]
        if (carrier := self._carriers.get(OWN_ROUTE)) is not None:
            run = partial(carrier.run, self._desk)
            tasks.append(asyncio.create_task(kept("an own account with a provider", run)))
        try:
            await self._closing.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._daily.save()

    async def close(self, reason: str) -> None:
        """See `bridge.api.Session.close`."""
        self._closing.set()

    async def execute(self, command: Command) -> Outcome:
        """See `bridge.api.Session.execute`."""
        if not isinstance(command, SendMessage):
            return Refused(Reason.UNSUPPORTED, "Texts cannot do that.")
        try:
            return await self._departures.send(command)
        except ConnectionLost as error:  # of the database, before anything was sent
            return Later(BUSY_SECONDS, str(error))

    async def query(self, query: Query) -> Answer:
        """See `bridge.api.Session.query`."""
        if isinstance(query, AskProfile):
            shown, tel = addresses.display(query.contact), addresses.tel(query.contact)
            return Answer({"name": shown, "nick": shown, **({"tel": tel} if tel else {})})
        if isinstance(query, AskPing):
            return Answer()
        raise QueryFailed(Reason.UNSUPPORTED, "Texts cannot tell that.")

    def capabilities(self, chat: Chat) -> Capabilities:
        """See `bridge.api.Session.capabilities`: what one of the user's numbers can carry, another's texts
        have as links (`Departures`)."""
        return self._capabilities


def capabilities(carriers: Iterable[Carrier] = ()) -> Capabilities:
    """What texts by one of these can carry."""
    files = any(each.capabilities.attachment is Support.NATIVE for each in carriers)
    return Capabilities(
        reply=Support.NATIVE,  # with a quote
        reaction=Support.REFUSE,  # nobody knows any more what it is about
        attachment=Support.NATIVE if files else Support.TEXT,
    )
