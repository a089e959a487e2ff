"""What a carrier is to the rest of the SMS backend, and what the backend is to a carrier.

A carrier is a small adapter for one way to the phone network: an SMPP bind, a provider's HTTP interface. It
knows no accounts: it brings what comes for a number, and sends for a number."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from backends.sms.values import Arrived, Outgoing, Report
from bridge.api import Capabilities, Host, Outcome


class NotPossible(Exception):
    """A text that this carrier cannot send however often it is tried; the words are for the user."""


class Desk(Protocol):
    """Takes what carriers bring. May be called from any of the carrier's tasks."""

    async def holder(self, number: str, route: str) -> Host | None:
        """The host of the account that has this number by this route; None: nobody. Raises `ConnectionLost`
        while the database is out: the carrier must not be told that anything was taken."""

    def text(self, host: Host, arrived: Arrived, *, cursor: tuple[str, str] | None = None) -> Awaitable[None]:
        """Tell the user of a text. The awaitable completes when it is stored, together with the cursor: then
        the carrier may be told. It raises `ConnectionLost` where that cannot be done now."""

    def report(self, host: Host, report: Report) -> Awaitable[None]:
        """Tell the user what became of theirs. The awaitable completes, and raises, like that of `text`."""


class Carrier(Protocol):
    """One route. Made once; its settings are its own."""

    @property
    def capabilities(self) -> Capabilities:
        """What a chat can carry by this route."""

    def segments(self, text: str) -> int:
        """In how many texts this one would go out, each of which is paid for. Raises `NotPossible`."""

    async def run(self, desk: Desk) -> None:
        """Be connected, or listen, until cancelled. A bad link is its own affair: it tries again. Returns
        never, and raises only for bugs."""

    async def connected(self, host: Host, number: str) -> None:
        """An account is connected that has this number here: what it still waits for is looked after. Raises
        `ConnectionLost` while the database is out."""

    async def close(self) -> None:
        """Give up what it holds; for one that is not run (a user's own)."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Hand a text to the carrier, and wait for its answer. `Sent.parts` has the ids that its reports will
        name, each beginning with the route's name and a space. `Later`, where it is certain that nothing was
        sent; `Unknown`, where it may have been, also where some parts were taken and others not. May be
        called many times at once; waits for the carrier's pace. May be cancelled."""
