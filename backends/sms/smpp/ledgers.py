"""Knows where the ledgers of a route's accounts are: in memory while they are used, read from the store when
they are needed, brought up to date there when nothing is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from backends.sms.smpp.background import Background
from backends.sms.smpp.lanes import Lanes
from backends.sms.smpp.ledger import Ledger, read_ledger
from backends.sms.smpp.times import Times
from bridge.api import AccountId, BackendError, Host

MOST = 2000
"""So many are in memory before those with nothing in them are dropped."""

AGAIN_SECONDS = 10.0
"""How soon something is tried again that the store did not take."""


class Ledgers:
    """Those of one route, kept under one name. `opened` is told of each that comes into memory."""

    def __init__(
        self,
        name: str,
        parts_seconds: float,
        times: Times,
        background: Background,
        opened: Callable[[Ledger], None],
    ) -> None:
        self.name = name
        self._parts_seconds = parts_seconds
        self._times = times
        self._background = background
        self._opened = opened
        self._known: dict[AccountId, Ledger] = {}
        self._loading = Lanes()
        self._stopped = False

    async def of(self, host: Host) -> Ledger:
        """An account's. Raises ConnectionLost."""
        account = host.account.id
        if account not in self._known:
            async with self._loading.turn(account):
                if account not in self._known:
                    await self._load(host)
        ledger = self._known[account]
        ledger.host = host
        return ledger

    async def _load(self, host: Host) -> None:
        value = await host.cursor(self.name)
        if len(self._known) >= MOST:
            self._known = {account: each for account, each in self._known.items() if not each.idle}
        ledger = self._known[host.account.id] = read_ledger(host, value, self._parts_seconds)
        self._opened(ledger)

    def behind(self, ledger: Ledger, seconds: float | None = None) -> None:
        """The store has entries too many; it is told of that when nothing is under way."""
        ledger.behind = True
        if ledger.tidying is None and not self._stopped:
            wait = self._times.tidy if seconds is None else seconds
            ledger.tidying = asyncio.get_running_loop().call_later(wait, partial(self._tidy, ledger))

    def _tidy(self, ledger: Ledger) -> None:
        ledger.tidying = None
        if not ledger.behind:
            return
        if ledger.doubles.is_open and not ledger.wrong:
            self.behind(ledger)
        else:
            self._background.start(self._save(ledger))

    async def _save(self, ledger: Ledger) -> None:
        async with ledger.turn:
            if not ledger.behind:
                return
            wrong, ledger.wrong = ledger.wrong, False
            try:
                await ledger.host.save(self.name, ledger.value())
            except BackendError:
                ledger.wrong = wrong
                self.behind(ledger, AGAIN_SECONDS)

    def link_ended(self) -> None:
        """What was not read by the SMSC may come again."""
        for ledger in self._known.values():
            ledger.doubles.link_ended()

    async def settle(self) -> None:
        """Bring the store up to date: the gateway stops."""
        await asyncio.gather(*(self._save(each) for each in self._known.values() if each.behind))

    def stop(self) -> None:
        """Change nothing in the store any more."""
        self._stopped = True
        for ledger in self._known.values():
            for timer in (ledger.timer, ledger.tidying):
                if timer is not None:
                    timer.cancel()
