"""Backends that are reached from outside: kept listening, and told whose account a name is."""

from __future__ import annotations

import asyncio
import logging

from bridge.api import (
    BackendError,
    ConnectionLost,
    Endpoint,
    Host,
    NetworkId,
    Reason,
    ServingBackend,
)
from bridge.core.abilities import serving
from bridge.core.ground import Ground
from bridge.core.pool import SessionPool
from bridge.core.registering import Registering
from bridge.core.storage import STORE_TEXT
from bridge.core.tasks import Tasks
from bridge.store.errors import StoreDown

log = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0
"""How soon a backend that could not listen tries again."""


class Serving:
    """`bridge.api.GatewayHost` for the backend of one gateway."""

    def __init__(self, ground: Ground, pool: SessionPool, registering: Registering, tasks: Tasks) -> None:
        self._ground = ground
        self._pool = pool
        self._tasks = tasks
        self.enrol = registering.enrol

    def start(self) -> None:
        """Let the backend listen, if it is one that does."""
        backend = serving(self._ground.backend)
        if backend is not None:
            self._tasks.start(self._serve(backend), "serving")

    async def holder(self, claim: str) -> Host | None:
        """The host of the account that holds a claim."""
        try:
            found = await self._ground.store.claims.holder(self._ground.domain, claim)
        except StoreDown as error:
            raise ConnectionLost(STORE_TEXT, Reason.STORE_DOWN) from error
        if found is None:
            return None
        return await self._pool.host(self._pool.live(found.user, NetworkId(found.network)))

    async def resolve(self, name: str, port: int) -> tuple[Endpoint, ...]:
        """The addresses that may be connected to."""
        return await self._ground.guard.resolve(name, port)

    async def _serve(self, backend: ServingBackend) -> None:
        told = ""
        while True:
            try:
                await backend.serve(self)
                return
            except BackendError as error:
                if str(error) != told:
                    log.error("%s: %s", self._ground.domain, error)
                told = str(error)
            except Exception:
                log.exception("the backend stopped serving", extra={"gateway": self._ground.domain})
            await asyncio.sleep(AGAIN_SECONDS)
