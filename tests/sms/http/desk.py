"""A small desk: it has numbers, keeps what carriers bring, and can be out."""

from __future__ import annotations

import asyncio

from backends.sms.values import Arrived, Report
from bridge.api import ConnectionLost, Host


class SmallDesk:
    """`backends.sms.carrier.Desk` for tests. `texts` has each text once, as the core does it (by its id);
    `told` counts all. While `open` is not set nothing is stored."""

    def __init__(self) -> None:
        self.holders: dict[tuple[str, str], Host] = {}
        self.texts: list[Arrived] = []
        self.reports: list[Report] = []
        self.cursors: list[tuple[str, str] | None] = []
        self.told = 0
        self.out = False
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def holder(self, number: str, route: str) -> Host | None:
        self._look()
        return self.holders.get((number, route))

    async def text(self, host: Host, arrived: Arrived, *, cursor: tuple[str, str] | None = None) -> None:
        await self._store()
        self.told += 1
        self.cursors.append(cursor)
        if arrived.id not in {each.id for each in self.texts}:
            self.texts.append(arrived)

    async def report(self, host: Host, report: Report) -> None:
        await self._store()
        self.reports.append(report)

    async def _store(self) -> None:
        self._look()
        self.asked.set()
        await self.open.wait()

    def _look(self) -> None:
        if self.out:
            raise ConnectionLost("the database is out")
