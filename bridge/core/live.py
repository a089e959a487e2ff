"""A live account: one user on one network, with its session, rooms and lanes, while anything needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import cast

from bridge.api import (
    Account,
    AccountId,
    Capabilities,
    Chat,
    ConnectionLost,
    ContactId,
    NetworkAddress,
    NetworkId,
    PromptSession,
    Reason,
    RoomChat,
    RoomId,
    Session,
)
from bridge.core.attempts import Attempts
from bridge.core.ground import Ground
from bridge.core.lanes import Lane
from bridge.core.room import Room
from bridge.core.values import AccountStatus, SessionState


def as_prompt(session: Session) -> PromptSession | None:
    """The session, if it is one that may answer without waiting."""
    return cast("PromptSession", session) if hasattr(session, "at_once") else None


class LiveAccount:
    """State only; the supervisor moves `state` and `session`, the room and message services the rest.

    `goodbye` is what was said when the session was closed on purpose. `nick` is the name to go by where none
    is registered; `hold`: the user asked to stay connected; `watched` has the contacts in the user's roster
    and whether they were last shown online, `reported` what the network itself says of contacts. `leaving`:
    rooms that the network was asked to leave and has not yet; `closing`: the session is being closed;
    `parting`: it will be, with these words, when the lanes are empty; `quit`: the user ended it in the
    network's own way, and has not come back; `grace`: when it is closed if nobody needs it by then;
    `mending`: when its user is told that its connection broke, if it has not come back by then;
    `placing`: the newest direct message whose turn has not come; `account`: what was registered, as it was
    read lately.
    """

    def __init__(self, ground: Ground, user: str, network: NetworkId) -> None:
        self.id: AccountId = ground.account_id(user, network)
        self.user = user
        self.network = network
        self.jid = ground.face.jid(NetworkAddress(network))
        self.info = ground.info
        self.nick = ""
        self.name = ""
        self.hold = False
        self.registered = False
        self.state = SessionState.IDLE
        self.text = ""
        self.goodbye = ""
        self.until = 0.0
        self.online_since = 0.0
        self.used_at = ground.clock()
        self.session: Session | None = None
        self._prompt: PromptSession | None = None
        self.rooms: dict[RoomId, Room] = {}
        self.lanes: dict[Chat, Lane] = {}
        self.watched: dict[ContactId, bool] = {}
        self.reported: dict[ContactId, bool] = {}
        self.leaving: dict[RoomId, asyncio.TimerHandle] = {}
        self.closing = False
        self.parting: str | None = None
        self.grace: asyncio.TimerHandle | None = None
        self.mending: asyncio.TimerHandle | None = None
        self.quit = False
        self.attempts = Attempts()
        self.placing: asyncio.Task[Awaitable[None]] | None = None
        self.account: Account | None = None
        self.account_until = 0.0
        self.account_change = 0
        self._waiters: list[asyncio.Future[Session]] = []

    def __repr__(self) -> str:
        return f"LiveAccount({self.id!r}, {self.state.value})"

    @property
    def wanted(self) -> bool:
        """Whether anything needs the session now."""
        return bool(self.lanes) or self.needed

    @property
    def needed(self) -> bool:
        """Whether anything will still need the session when what is under way is done."""
        if self.hold or any(room.wanted for room in self.rooms.values()):
            return True
        return self.registered and not self.info.on_demand

    def registration_changed(self) -> None:
        """What is known of it is of no use any more, nor what is being read."""
        self.account = None
        self.account_change += 1

    def end_grace(self) -> None:
        """The session is needed again, or is over."""
        if self.grace is not None:
            self.grace.cancel()
            self.grace = None

    def end_mending(self) -> bool:
        """It is back, or will not be. Returns whether its user has not been told that it broke."""
        mending, self.mending = self.mending, None
        if mending is not None:
            mending.cancel()
        return mending is not None

    def prompt(self, chat: Chat) -> PromptSession | None:
        """The session, if it may answer without waiting and nothing waits in that chat."""
        if self.session is None or (self.lanes and chat in self.lanes):
            return None
        return self._prompt

    def capabilities(self, chat: Chat) -> Capabilities:
        """What a chat can carry: as the session says, or as the backend promises while there is none."""
        if self.session is not None:
            return self.session.capabilities(chat)
        return self.info.room_features if isinstance(chat, RoomChat) else self.info.contact_features

    async def online(self) -> Session:
        """The session, once it is connected. Raises `ConnectionLost` if it will not be."""
        if self.session is not None:
            return self.session
        waiter: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            del waiter  # an error in it would hold this frame, and so itself

    def went_online(self, session: Session) -> None:
        """Wake those who wait for the session."""
        self.session = session
        self._prompt = as_prompt(session)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(session)

    def went_offline(self) -> None:
        """Nothing of the session is kept: it is far bigger than an account at rest."""
        self.session = self._prompt = None

    def will_not_come(self, text: str, reason: Reason) -> None:
        """Tell those who wait for the session that it does not come."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(ConnectionLost(text, reason))

    def status(self) -> AccountStatus:
        """For the user's `status` command."""
        return AccountStatus(
            network=self.network,
            state=self.state,
            name=self.name,
            rooms=tuple(room.display for room in self.rooms.values() if room.joined),
            text=self.text,
            until=self.until,
            registered=self.registered,
            since=self.online_since,
        )
