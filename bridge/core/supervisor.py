"""The supervisor of one account's session: opens it, notices how it ends, and decides what then.

    IDLE -> CONNECTING -> ONLINE -> (lost) -> WAITING -> CONNECTING ...
                       -> NEEDS_LOGIN (credentials refused: only the user can help)
                       -> IDLE (nobody needs it any more, or a first connect failed)

A bug in a backend ends that session only, and is told to its user with an id that stands in the log too."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from bridge.api import AuthFailed, BackendError, ConnectionLost, Reason, Session
from bridge.core.backoff import delay
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.values import SessionState

log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
STEADY_SECONDS = 60.0
"""A session that was online for so long starts a new count of failures when it is lost."""


class Watcher(Protocol):
    """Who hears how a session fares."""

    def session_online(self, live: LiveAccount) -> None:
        """It is connected."""

    def session_ended(self, live: LiveAccount, error: BackendError | None, was_online: bool) -> bool:
        """It is over. Returns whether to open another."""


class Supervisor:
    """Drives one `LiveAccount`. `open_session` makes a session (and its host); `turn` admits so many accounts
    at once to connecting, so that a restart does not look like an attack."""

    def __init__(
        self,
        ground: Ground,
        live: LiveAccount,
        watcher: Watcher,
        open_session: Callable[[], Awaitable[Session]],
        turn: asyncio.Semaphore,
    ) -> None:
        self._ground = ground
        self._live = live
        self._watcher = watcher
        self._open = open_session
        self._turn = turn
        self._has_turn = False
        self._wanted = False
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def ensure(self) -> None:
        """Somebody needs the session: connect if it is not connected, at once if it is waiting."""
        self._wanted = True
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._supervise())

    def release(self, reason: str) -> None:
        """Nobody needs the session any more."""
        self._wanted = False
        self._wake.set()
        if self._session is not None and self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(self._session, reason))

    async def stop(self, reason: str) -> None:
        """Release, and return when it is over."""
        self.release(reason)
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=CLOSE_SECONDS + 1)
            if not done:
                self._task.cancel()
                await asyncio.wait({self._task})

    def connected(self, name: str) -> None:
        """The session says that it is online."""
        live = self._live
        if self._session is None:
            return
        self._give_turn()
        live.name = name
        live.state, live.text, live.until = SessionState.ONLINE, "", 0.0
        live.online_since = time.time()
        live.went_online(self._session)
        log.info("session online", extra={"account": live.id})
        self._watcher.session_online(live)

    async def _supervise(self) -> None:
        failures = 0
        while self._wanted:
            began = self._ground.clock()
            error = await self._one_session()
            live = self._live
            was_online = live.session is not None
            live.session = None
            if was_online and self._ground.clock() - began > STEADY_SECONDS:
                failures = 0
            again = self._watcher.session_ended(live, error, was_online)
            if isinstance(error, AuthFailed):
                self._settle(SessionState.NEEDS_LOGIN, str(error))
                return
            if error is None:
                continue
            if not again:
                break
            failures += 1
            await self._wait(failures, str(error))
        self._settle(SessionState.IDLE, self._live.text)

    async def _one_session(self) -> BackendError | None:
        """Run one session to its end. Returns what broke it, None where it was closed."""
        live = self._live
        live.state, live.until = SessionState.CONNECTING, 0.0
        await self._turn.acquire()
        self._has_turn = True
        try:
            self._session = await self._open()
            await self._run(self._session)
            return None if self._closing is not None else ConnectionLost("The network closed the connection")
        except BackendError as error:
            log.info("session ended: %s", error, extra={"account": live.id})
            return error
        except Exception:
            case = os.urandom(4).hex()
            log.exception("session failed (case %s)", case, extra={"account": live.id, "case": case})
            return ConnectionLost(
                f"The gateway failed (its admin finds it in the log as case {case})", Reason.INTERNAL
            )
        finally:
            self._session = None
            self._give_turn()
            if self._closing is not None:
                self._closing.cancel()
                self._closing = None

    async def _run(self, session: Session) -> None:
        """`session.run()` in a task of its own, so that a session that does not close in time can be cut
        off."""
        self._running = asyncio.get_running_loop().create_task(session.run())
        try:
            await asyncio.wait({self._running})
        finally:
            if not self._running.done():
                self._running.cancel()
        if not self._running.cancelled():
            self._running.result()

    async def _wait(self, failures: int, text: str) -> None:
        seconds = delay(failures, self._ground.chance())
        live = self._live
        live.state, live.text, live.until = SessionState.WAITING, text, time.time() + seconds
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _close(self, session: Session, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await session.close(reason)
                if self._running is not None:
                    await asyncio.wait({self._running})
        except TimeoutError:
            log.warning("session did not close in time", extra={"account": self._live.id})
        except Exception:
            log.exception("session failed to close", extra={"account": self._live.id})
        if self._session is session and self._running is not None:
            self._running.cancel()

    def _settle(self, state: SessionState, text: str) -> None:
        live = self._live
        live.state, live.text, live.until, live.session = state, text, 0.0, None
        live.will_not_come(text or "Not connected", Reason.NETWORK_DOWN)

    def _give_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turn.release()
