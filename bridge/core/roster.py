"""Presence subscriptions between users and puppets, and the presence that puppets show.

A room may be in a roster like any contact: it is then kept while it is there, and shown online while the
account is in it. What is known survives restarts."""

from __future__ import annotations

import logging

from bridge.api import Address, ContactAddress, ContactId, NetworkAddress, NetworkId, RoomAddress
from bridge.core.admission import Admission
from bridge.core.ground import Ground
from bridge.core.live import LiveAccount
from bridge.core.pool import SessionPool
from bridge.core.rooms import Rooms
from bridge.core.tasks import Tasks
from bridge.store.subscriptions import Subscription

log = logging.getLogger(__name__)


class Roster:
    """The subscriptions of one gateway. The gateway itself is the puppet with the domain as its JID."""

    def __init__(
        self, ground: Ground, pool: SessionPool, rooms: Rooms, tasks: Tasks, admission: Admission
    ) -> None:
        self._ground = ground
        self._pool = pool
        self._rooms = rooms
        self._tasks = tasks
        self._admission = admission
        self._known: dict[tuple[str, str], Subscription] = {}
        self._contacts: dict[tuple[str, NetworkId], set[ContactId]] = {}
        self._unasked: dict[tuple[str, NetworkId], None] = {}

    async def load(self) -> None:
        """Read what was agreed before this start."""
        for row in await self._ground.store.subscriptions.list(self._ground.domain):
            self._known[row.user, row.local] = row

    def ask(self, user: str, network: NetworkId, *, again: bool) -> None:
        """Ask to be in the roster of a user who has registered (XEP-0100 §4.1), as soon as the XMPP server is
        there. Who was asked before, and has not said yes, is not asked `again` unless that is said."""
        face = self._ground.face
        puppet = face.jid(NetworkAddress(network)) if network else self._ground.domain
        known = self._known.get((user, puppet))
        if known is not None and (known.puppet_subscribed or not again):
            return
        if not self._ground.link_is_up:
            self._unasked[user, network] = None
            return
        face.subscription(user, puppet, "subscribe")
        if known is None:
            self._put(user, puppet, user_subscribed=False, puppet_subscribed=False)

    def subscribe(self, user: str, puppet: str, address: Address | None, stanza_id: str) -> None:
        """A user wants a puppet's presence: granted, and asked for in return."""
        face = self._ground.face
        may = self._admission.of_user(user) if address is None else self._admission.to_talk(user)
        if may is None and isinstance(address, RoomAddress):
            may = self._rooms.may_enter(user, address)
        if may is not None:
            face.subscription(user, puppet, "unsubscribed", stanza_id)
            face.network_text(user, puppet, may.text)
            return
        known = self._known.get((user, puppet))
        face.subscription(user, puppet, "subscribed", stanza_id)
        if isinstance(address, RoomAddress):
            self._keep(user, address)
        elif isinstance(address, ContactAddress):
            self._watch(user, address)
        self._show(user, user, puppet, address)
        if known is None or not known.puppet_subscribed:
            face.subscription(user, puppet, "subscribe")
        self._put(
            user, puppet, user_subscribed=True, puppet_subscribed=bool(known and known.puppet_subscribed)
        )

    def subscribed(self, user: str, puppet: str) -> None:
        """A user lets a puppet see their presence."""
        known = self._known.get((user, puppet))
        seen = known is not None and (known.user_subscribed or known.puppet_subscribed)
        if not seen and puppet == self._ground.domain:
            self._ground.face.puppet_presence(user, puppet, True)
        self._put(user, puppet, user_subscribed=bool(known and known.user_subscribed), puppet_subscribed=True)

    def unsubscribe(self, user: str, puppet: str, address: Address | None, stanza_id: str) -> None:
        """A user has taken a puppet out of the roster."""
        face = self._ground.face
        known = self._known.pop((user, puppet), None)
        face.puppet_presence(user, puppet, False)
        face.subscription(user, puppet, "unsubscribed", stanza_id)
        if known is None:
            return
        face.subscription(user, puppet, "unsubscribe")
        self._tasks.start(
            self._ground.store.subscriptions.remove(self._ground.domain, user, puppet), "unsubscribe"
        )
        if isinstance(address, RoomAddress):
            room = self._rooms.find(user, puppet)
            if room is not None and room.kept:
                self._rooms.unkeep(room)
        elif isinstance(address, ContactAddress):
            self._unwatch(user, address)

    def unsubscribed(self, user: str, puppet: str) -> None:
        """A user no longer lets a puppet see their presence."""
        known = self._known.get((user, puppet))
        if known is not None and known.puppet_subscribed:
            self._put(user, puppet, user_subscribed=known.user_subscribed, puppet_subscribed=False)

    def probe(self, user: str, resource: str, puppet: str, address: Address | None) -> None:
        """A user's server asks for a puppet's presence, for a resource that just came online."""
        known = self._known.get((user, puppet))
        if known is None or not known.user_subscribed:
            self._ground.face.subscription(resource, puppet, "unsubscribed")
            return
        if isinstance(address, RoomAddress) and self._rooms.find(user, puppet) is None:
            self._keep(user, address)
        elif isinstance(address, ContactAddress):
            self._watch(user, address)
        self._show(resource, user, puppet, address)

    def available(self, user: str, resource: str, puppet: str, away: bool, text: str) -> None:
        """A user's presence towards a puppet: after a restart of ours it is how we learn that they are
        there."""

    def unavailable(self, user: str, resource: str, puppet: str) -> None:
        """A resource went offline: it is in no room any more."""

    def link_up(self) -> None:
        """The XMPP server has forgotten what puppets showed: tell it again, and learn who is there."""
        for (user, puppet), known in self._known.items():
            if puppet == self._ground.domain and known.user_subscribed:
                self._ground.face.puppet_presence(user, puppet, True)
                self._ground.face.subscription(user, puppet, "probe")
        for live in self._pool.all():
            if live.session is not None:
                self.session_online(live)
        unasked, self._unasked = self._unasked, {}
        for user, network in unasked:
            self.ask(user, network, again=True)

    def session_online(self, live: LiveAccount) -> None:
        """A network is connected: it, and what can be seen on it, goes online in rosters."""
        for contact in self._contacts.get((live.user, live.network), ()):
            live.watched.setdefault(contact, False)
        if self._ground.info.contacts_online:
            live.watched.update(dict.fromkeys(live.watched, True))
        for contact, online in live.watched.items():
            if online:
                puppet = self._ground.face.jid(ContactAddress(live.network, contact))
                self._ground.face.puppet_presence(live.user, puppet, True)
        self._ground.face.puppet_presence(live.user, live.jid, True, text=live.name)
        for room in live.rooms.values():
            if room.kept and room.joined:
                self._ground.face.puppet_presence(live.user, room.jid, True)

    def session_offline(self, live: LiveAccount) -> None:
        """A network is not connected any more. A gateway that stands for its one network is still there for
        those who have it in their rosters."""
        if self._ground.info.contacts_online:
            for contact in live.watched:
                live.watched[contact] = False
                puppet = self._ground.face.jid(ContactAddress(live.network, contact))
                self._ground.face.puppet_presence(live.user, puppet, False)
        known = self._known.get((live.user, live.jid))
        if live.jid == self._ground.domain and known is not None and known.user_subscribed:
            return
        self._ground.face.puppet_presence(live.user, live.jid, False)

    def shutdown(self) -> None:
        """The gateway goes: so does its presence."""
        for (user, puppet), known in self._known.items():
            if known.user_subscribed and puppet == self._ground.domain:
                self._ground.face.puppet_presence(user, puppet, False)

    # -- below

    def _keep(self, user: str, address: RoomAddress) -> None:
        room = self._rooms.keep(user, address, user.partition("@")[0])
        if not room.resources and not room.waiting:
            self._ground.face.invitation(user, room.jid, "", "", ())

    def _show(self, to: str, user: str, puppet: str, address: Address | None) -> None:
        self._ground.face.puppet_presence(to, puppet, self._online(user, puppet, address))

    def _online(self, user: str, puppet: str, address: Address | None) -> bool:
        if address is None:
            return True
        if isinstance(address, RoomAddress):
            room = self._rooms.find(user, puppet)
            return room is not None and room.joined
        live = self._pool.peek(user, address.network)
        if live is None or live.session is None:
            return False
        if isinstance(address, NetworkAddress):
            return True
        if self._ground.info.contacts_online:
            live.watched[address.contact] = True
            return True
        self._pool.refresh_watched(live)
        return live.watched.get(address.contact, False)

    def _watch(self, user: str, address: ContactAddress) -> None:
        """Show a contact's presence from now on, whenever the network is connected."""
        self._contacts.setdefault((user, address.network), set()).add(address.contact)
        live = self._pool.peek(user, address.network)
        if live is not None:
            live.watched.setdefault(address.contact, False)

    def _unwatch(self, user: str, address: ContactAddress) -> None:
        key = (user, address.network)
        contacts = self._contacts.get(key, set())
        contacts.discard(address.contact)
        if not contacts:
            self._contacts.pop(key, None)
        live = self._pool.peek(user, address.network)
        if live is not None:
            live.watched.pop(address.contact, None)

    def _put(self, user: str, puppet: str, user_subscribed: bool, puppet_subscribed: bool) -> None:
        row = Subscription(self._ground.domain, user, puppet, user_subscribed, puppet_subscribed)
        if self._known.get((user, puppet)) != row:
            self._known[user, puppet] = row
            self._tasks.start(self._ground.store.subscriptions.put(row), "subscription")
