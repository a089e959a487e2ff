"""Where the events of all sessions of one gateway come in, and where it is decided how a session goes on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from bridge.api import (
    AuthFailed,
    BackendError,
    Connected,
    ConnectionLost,
    ContactAddress,
    ContactId,
    ContactPresence,
    ContactRenamed,
    Delivered,
    DeliveryFailed,
    DirectChat,
    Displayed,
    Event,
    MessageCorrected,
    MessageLost,
    MessageReceived,
    MessageRetracted,
    NameChanged,
    NetworkNotice,
    ReactionsChanged,
    Reason,
    RoomAddress,
    RoomChat,
    TypingChanged,
)
from bridge.core.entrance import Entrance
from bridge.core.ground import Ground
from bridge.core.host import DONE, Cursor
from bridge.core.inbox import Inbox, refused_by_store
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.replies import Replies
from bridge.core.reports import Reports
from bridge.core.room import RoomState
from bridge.core.roomevents import RoomEvents, microseconds
from bridge.core.roster import Roster
from bridge.core.tasks import Tasks
from bridge.core.values import DirectMessage, SessionState
from bridge.store.errors import StoreError
from bridge.store.message_ids import KnownMessage

log = logging.getLogger(__name__)

QUIT_TEXT = "You have left this network. To come back, join a room on it, write to it, or connect again."

MEND_SECONDS = 120.0
"""After so long without its connection an account that nobody sits in is told of it."""

GIVE_UP = {Reason.CONFLICT}
"""Failures of a first connect that another try with the same data would only repeat."""


class Events:
    """The `Sink` and the `Watcher` of all accounts of one gateway."""

    def __init__(
        self,
        ground: Ground,
        pool: SessionPool,
        rooms: RoomEvents,
        entrance: Entrance,
        roster: Roster,
        inbox: Inbox,
        tasks: Tasks,
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._rooms = rooms
        self._entrance = entrance
        self._roster = roster
        self._inbox = inbox
        self._replies = Replies(ground, tasks)
        self._reports = Reports(ground, inbox, tasks)
        self._handlers: dict[type, Callable[[LiveAccount, Any], None]] = {
            **rooms.handlers,
            Connected: self._connected,
            NetworkNotice: self._network_notice,
            NameChanged: self._name_changed,
            TypingChanged: self._typing,
            ContactPresence: self._contact_presence,
            ContactRenamed: self._contact_renamed,
            MessageCorrected: self._corrected,
            MessageRetracted: self._unmapped,
            ReactionsChanged: self._unmapped,
            MessageLost: self._lost,
        }

    def take(self, live: LiveAccount, event: Event, cursor: Cursor) -> Awaitable[None]:
        """See `bridge.api.Host.emit`."""
        if type(event) is MessageReceived and type(event.chat) is DirectChat:
            return self._direct(live, event, event.chat, cursor)
        if type(event) is MessageCorrected and type(event.chat) is DirectChat:
            return self._direct(live, _as_message(event), event.chat, cursor)
        if isinstance(event, Delivered | Displayed | DeliveryFailed):
            return self._reported(live, event, cursor)
        try:
            if type(event) is MessageReceived and type(event.chat) is RoomChat:
                self._rooms.message(live, event, event.chat.room)
            else:
                self._handlers.get(type(event), self._unmapped)(live, event)
        except Exception:
            log.exception("an event failed: %s", type(event).__name__, extra={"account": live.id})
        return DONE if cursor is None else self._moved(live, cursor)

    def _moved(self, live: LiveAccount, cursor: tuple[str, str]) -> Awaitable[None]:
        try:
            return self._ground.store.cursors.put(live.id, *cursor)
        except StoreError as error:
            return refused_by_store(error)

    # -- how sessions fare (supervisor.Watcher)

    def session_online(self, live: LiveAccount) -> None:
        """Join the rooms that are wanted, and show the network online."""
        mended = live.end_mending()
        for text in live.attempts.succeeded():
            if not mended:
                self._tell(live, text)
        self._roster.session_online(live)
        for room in tuple(live.rooms.values()):
            if room.wanted and room.state is not RoomState.JOINED:
                self._entrance.enter(room)

    def session_ended(self, live: LiveAccount, error: BackendError | None, was_online: bool) -> bool:
        """Tell the rooms, and decide whether to connect again: yes, as long as somebody would miss it."""
        for timer in live.leaving.values():
            timer.cancel()
        live.leaving.clear()
        live.reported.clear()
        live.end_grace()
        if was_online:
            self._roster.session_offline(live)
        if live.quit:
            self._quit(live)
            return False
        if error is None:
            live.end_mending()
            self._rooms.session_closed(live, live.goodbye)
            self._link_broke(live, live.goodbye or "Disconnected.")
            return False
        reason = Reason.NOT_AUTHORIZED if isinstance(error, AuthFailed) else Reason.NETWORK_DOWN
        if isinstance(error, ConnectionLost):
            reason = error.reason
        text = str(error)
        live.text = text
        self._rooms.not_back(live, text)
        if was_online:
            self._broke(live, text, at_once=reason in (Reason.NOT_AUTHORIZED, Reason.INTERNAL))
            self._rooms.session_lost(live, text)
            self._link_broke(live, text)
        else:
            self._not_connected(live, reason, text, for_good=isinstance(error, AuthFailed))
        self._rooms.forget_lost(live)
        again = live.needed or (was_online and bool(live.lanes))
        if not again:
            live.will_not_come(text, reason)
        return again

    def session_given_up(self, live: LiveAccount) -> None:
        """Nobody is to wait for what does not come."""
        needs_login = live.state is SessionState.NEEDS_LOGIN
        reason = Reason.NOT_AUTHORIZED if needs_login else Reason.NETWORK_DOWN
        text = live.text or live.goodbye or "Not connected to this network."
        for room in tuple(live.rooms.values()):
            self._entrance.turn_away(room, reason, text)
        if not self._ground.stopping:
            live.will_not_come(text, reason)

    def _not_connected(self, live: LiveAccount, reason: Reason, text: str, for_good: bool) -> None:
        answered = bool(live.lanes) or any(room.waiting for room in live.rooms.values())
        kind = reason.value if reason is Reason.INTERNAL else ""
        if for_good:
            live.attempts.asked()
        for told in live.attempts.failed(text, kind, answered=answered):
            if live.mending is None or for_good:
                self._tell(live, told)
        for room in tuple(live.rooms.values()):
            if for_good or reason in GIVE_UP:
                room.remembered, room.away = {}, {}
            self._entrance.turn_away(room, reason, text)

    def _broke(self, live: LiveAccount, text: str, *, at_once: bool) -> None:
        """A connection broke. One that nobody sits in (a mailbox) is told of when it does not come back
        soon."""
        if at_once or live.info.on_demand or live.rooms:
            live.end_mending()
            self._tell(live, f"ERROR: {text}")
        elif live.mending is None:
            loop = asyncio.get_running_loop()
            live.mending = loop.call_later(MEND_SECONDS, self._not_mended, live)

    def _not_mended(self, live: LiveAccount) -> None:
        live.mending = None
        if live.session is None and live.needed:
            self._tell(live, f"ERROR: {live.text}")

    def _quit(self, live: LiveAccount) -> None:
        """The user left in the network's own words: no room, however kept, brings the account back."""
        live.goodbye, live.hold, live.text = "", False, ""
        self._tell(live, QUIT_TEXT)
        self._rooms.session_closed(live, "")
        for lane in tuple(live.lanes.values()):
            lane.abandon(Reason.NETWORK_DOWN, QUIT_TEXT)

    def _link_broke(self, live: LiveAccount, text: str) -> None:
        for lane in live.lanes.values():
            lane.link_broke(Reason.NETWORK_DOWN, text)

    def _tell(self, live: LiveAccount, text: str) -> None:
        resources: Iterable[str] = {
            resource: None
            for room in live.rooms.values()
            for resource in (*room.resources, *room.waiting, *room.remembered)
        }
        for to in resources or (live.user,):
            self._ground.face.network_text(to, live.jid, text)

    # -- events of the account itself

    def _connected(self, live: LiveAccount, event: Connected) -> None:
        self._pool.connected(live, event.name)

    def _network_notice(self, live: LiveAccount, event: NetworkNotice) -> None:
        if live.session is not None or (live.attempts.said(event.text) and live.mending is None):
            self._tell(live, event.text)

    def _name_changed(self, live: LiveAccount, event: NameChanged) -> None:
        live.name = live.nick = event.name
        for room in live.rooms.values():
            self._entrance.follow(room)

    # -- direct chats

    def _direct(
        self, live: LiveAccount, event: MessageReceived, chat: DirectChat, cursor: Cursor
    ) -> Awaitable[None]:
        live.used_at = self._ground.clock()
        if event.reply_to is None and live.placing is None:
            return self._put(live, event, chat.contact, cursor, None)
        return self._replies.place(
            live, event.reply_to, lambda known: self._put(live, event, chat.contact, cursor, known)
        )

    def _put(
        self,
        live: LiveAccount,
        event: MessageReceived,
        contact: ContactId,
        cursor: Cursor,
        answers: KnownMessage | None,
    ) -> Awaitable[None]:
        if answers is not None and answers.chat != contact:
            answers = None  # it was said in another chat: clients look for it in this one
        message = DirectMessage(
            stanza_id=self._ground.stanza_id(),
            content=event.content,
            sent_at=microseconds(event.sent_at) if event.sent_at else time.time_ns() // 1000,
            reply_to=answers.stanza_id if answers else "",
            thread=event.thread or "",
            own=event.own,
            reply_own=bool(answers and answers.resource),
            name=event.name,
        )
        stored = self._inbox.put(live, contact, event.id, message, cursor)
        if event.id:
            self._ground.message_ids.received(live.id, contact, event.id, message.stanza_id)
        return stored

    def _corrected(self, live: LiveAccount, event: MessageCorrected) -> None:
        if isinstance(event.chat, RoomChat):
            self._rooms.corrected(live, event, event.chat.room)

    def _typing(self, live: LiveAccount, event: TypingChanged) -> None:
        if isinstance(event.chat, RoomChat):
            self._rooms.typing(live, event)
            return
        contact = self._ground.face.jid(ContactAddress(live.network, event.chat.contact))
        self._ground.face.direct_typing(live.user, contact, event.state)

    def _contact_presence(self, live: LiveAccount, event: ContactPresence) -> None:
        live.reported[event.contact] = event.online
        if event.contact in live.watched:
            live.watched[event.contact] = event.online
            puppet = self._ground.face.jid(ContactAddress(live.network, event.contact))
            self._ground.face.puppet_presence(live.user, puppet, event.online, event.away, event.text)

    def _contact_renamed(self, live: LiveAccount, event: ContactRenamed) -> None:
        old = self._ground.face.jid(ContactAddress(live.network, event.old))
        new = self._ground.face.jid(ContactAddress(live.network, event.new))
        self._ground.face.network_text(live.user, old, f"is now known as {new}")

    def _reported(
        self, live: LiveAccount, event: Delivered | Displayed | DeliveryFailed, cursor: Cursor
    ) -> Awaitable[None]:
        if isinstance(event.chat, DirectChat):
            return self._reports.take(live, event, event.chat.contact, cursor)
        self._unmapped(live, event)
        return DONE if cursor is None else self._moved(live, cursor)

    def _lost(self, live: LiveAccount, event: MessageLost) -> None:
        """A message that its sender took for sent, in a room or to a contact, may not have arrived."""
        groupchat = isinstance(event.chat, RoomChat)
        address = (
            RoomAddress(live.network, event.chat.room)
            if isinstance(event.chat, RoomChat)
            else ContactAddress(live.network, event.chat.contact)
        )
        jid = self._ground.face.jid(address)
        resource = self._ground.senders.find(live.user, jid, event.key)
        if resource is not None:
            self._ground.face.message_failed(
                resource, jid, event.key, Reason.NETWORK_DOWN, event.text, groupchat=groupchat
            )

    def _unmapped(self, live: LiveAccount, event: Event) -> None:
        """It refers to a message whose stanza is not known (any more)."""
        log.warning(
            "event without a map of message ids: %s", type(event).__name__, extra={"account": live.id}
        )


def _as_message(event: MessageCorrected) -> MessageReceived:
    """A correction where the network's id of what it corrects says nothing to clients."""
    content = msgspec.structs.replace(event.content, text=f"* {event.content.text}")
    return MessageReceived(chat=event.chat, sender=event.sender, id=event.id, content=content)
