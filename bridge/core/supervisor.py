"""The supervisor of one account's session: opens it, notices how it ends, and decides what then.

    IDLE -> CONNECTING -> ONLINE -> (lost) -> WAITING -> CONNECTING ...
                       -> NEEDS_LOGIN (credentials refused: only the user can help)
                       -> IDLE (nobody needs it any more, a first connect failed, or the user quit)

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
from bridge.core.host import AccountHost
from bridge.core.live import LiveAccount
from bridge.core.values import SessionState

log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
TURN_SECONDS = 60.0
"""A session that takes longer than this to connect lets others have their turn."""
STEADY_SECONDS = 60.0
"""A session that was online for so long starts a new count of failures when it is lost."""


class Watcher(Protocol):
    """Who hears how a session fares."""

    def session_online(self, live: LiveAccount) -> None:
        """It is connected."""

    def session_ended(self, live: LiveAccount, error: BackendError | None, was_online: bool) -> bool:
        """It is over. Returns whether to open another."""

    def session_given_up(self, live: LiveAccount) -> None:
        """No other will be opened until somebody asks for one."""


class Supervisor:
    """Drives one `LiveAccount`. `open_session` makes a session and its host; `turn` admits so many accounts
    at once to connecting, so that a restart does not look like an attack."""

    def __init__(
        self,
        ground: Ground,
        live: LiveAccount,
        watcher: Watcher,
        open_session: Callable[[], Awaitable[tuple[Session, AccountHost]]],
        turn: asyncio.Semaphore,
    ) -> None:
        self._ground = ground
        self._live = live
        self._watcher = watcher
        self._open = open_session
        self._turn = turn
        self._turn_ends: asyncio.TimerHandle | None = None
        self._queueing: asyncio.Task[bool] | None = None
        self._wanted = False
        self._online_at: float | None = None
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def ensure(self) -> None:
        """Somebody needs the session: connect if it is not connected, at once if it is waiting."""
        self._wanted = True
        self._live.quit = False
        self._live.attempts.asked()
        self._wake.set()
        if self._task is None or self._task.done():
            self._live.state, self._live.text = SessionState.CONNECTING, ""
            self._task = asyncio.get_running_loop().create_task(self._supervise())

    def release(self, reason: str) -> None:
        """Nobody needs the session any more. From now on it takes no commands."""
        self._wanted = False
        self._wake.set()
        if self._queueing is not None:
            self._queueing.cancel()
        if self._session is not None and self._closing is None:
            self._live.closing = True
            self._live.went_offline()
            self._closing = asyncio.get_running_loop().create_task(self._close(self._session, reason))

    async def stop(self, reason: str) -> None:
        """Release, and return when the session is over (another may be wanted by then)."""
        self.release(reason)
        task, closing = self._task, self._closing
        if task is None or task.done():
            return
        over = {task} if closing is None else {task, closing}
        await asyncio.wait(over, timeout=CLOSE_SECONDS + 1, return_when=asyncio.FIRST_COMPLETED)
        if not self._wanted and not task.done():
            await asyncio.wait({task}, timeout=1)
        if not self._wanted and not task.done():
            log.error("session could not be ended", extra={"account": self._live.id})
            task.cancel()
            await asyncio.wait({task}, timeout=1)
            self._ended(None)
            self._settle(SessionState.IDLE, "")

    def connected(self, name: str) -> None:
        """The session says that it is online."""
        live = self._live
        if self._session is None or self._closing is not None:
            return
        live.name = name
        if self._online_at is not None:
            return
        self._give_turn()
        self._online_at = self._ground.clock()
        live.state, live.text, live.until = SessionState.ONLINE, "", 0.0
        live.online_since = time.time()
        live.went_online(self._session)
        log.info("session online", extra={"account": live.id})
        self._watcher.session_online(live)

    async def _supervise(self) -> None:
        failures = 0
        state = SessionState.IDLE
        while self._wanted:
            error = await self._one_session()
            if self._online_at is not None and self._ground.clock() - self._online_at > STEADY_SECONDS:
                failures = 0
            again = self._ended(error)
            if isinstance(error, AuthFailed):
                state = SessionState.NEEDS_LOGIN
                break
            if self._live.quit:
                break
            if error is None:
                continue
            if not again:
                break
            failures += 1
            if self._wanted:
                await self._wait(failures, str(error))
        self._wanted = False
        self._settle(state, self._live.text)

    async def _one_session(self) -> BackendError | None:
        """Run one session to its end. Returns what broke it, None where it was closed, or the user quit."""
        live = self._live
        live.state, live.until = SessionState.CONNECTING, 0.0
        live.attempts.begins()
        error: BackendError | None = None
        host: AccountHost | None = None
        try:
            if not await self._take_turn():
                return None
            session, host = await self._open()
            if not self._wanted:
                return None
            self._session = session
            await self._run(session)
            live.quit = self._closing is None
        except BackendError as broken:
            log.info("session ended: %s", broken, extra={"account": live.id})
            # With its traceback the error would hold this frame, and so itself and the ended session.
            error = broken.with_traceback(None)
        except Exception:
            case = os.urandom(4).hex()
            log.exception("session failed (case %s)", case, extra={"account": live.id, "case": case})
            error = ConnectionLost(
                f"The gateway failed (its admin finds it in the log as case {case})", Reason.INTERNAL
            )
        finally:
            if host is not None:
                host.end()
            closing, self._closing = self._closing, None
            self._session = self._running = None
            live.closing = False
            self._give_turn()
            if closing is not None:
                closing.cancel()
        return error if closing is None else None

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

    def _ended(self, error: BackendError | None) -> bool:
        """Tell the watcher. A bug of its is no reason to leave this account without a supervisor."""
        live = self._live
        was_online = self._online_at is not None
        live.went_offline()
        self._online_at = None
        try:
            return self._watcher.session_ended(live, error, was_online)
        except Exception:
            log.exception("the end of a session could not be handled", extra={"account": live.id})
            live.text = live.text or str(error or "")
            return live.needed

    def _settle(self, state: SessionState, text: str) -> None:
        live = self._live
        live.state, live.text, live.until = state, text, 0.0
        live.went_offline()
        try:
            self._watcher.session_given_up(live)
        except Exception:
            log.exception("the end of a session could not be told", extra={"account": live.id})

    async def _take_turn(self) -> bool:
        """Wait for it. False: the session is not wanted any more."""
        queueing = self._queueing = asyncio.get_running_loop().create_task(self._turn.acquire())
        try:
            await asyncio.wait({queueing})
        finally:
            self._queueing = None
            queueing.cancel()
            if queueing.done() and not queueing.cancelled():
                loop = asyncio.get_running_loop()
                self._turn_ends = loop.call_later(TURN_SECONDS, self._give_turn)
        return self._turn_ends is not None and self._wanted

    def _give_turn(self) -> None:
        if self._turn_ends is not None:
            self._turn_ends.cancel()
            self._turn_ends = None
            self._turn.release()
