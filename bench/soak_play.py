"""How each step of a soak is done, and what must be seen of it before its person does the next one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from bench.soak_irc import IrcPerson, Witness, channel, until
from bench.soak_ledger import Ledger, Segment, text_of
from bench.soak_plan import Step, Town
from bench.soak_xmpp import DOMAIN, XmppUser, puppet, room_jid

_INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
_ITEMS = "<query xmlns='http://jabber.org/protocol/disco#items'/>"
_REGISTER = "<query xmlns='jabber:iq:register'>{}</query>"
_FORM = (
    "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>jabber:iq:register</value></field>"
    "<field var='realname'><value>Soaked {}</value></field></x>"
)


AT_ONCE = 32
"""Steps under way. Where the servers are slower than the plan, the plan waits, and nothing piles up before
them that would look like growth of the bridge."""


def _is_over(segment: Segment) -> bool:
    return segment.end is not None


class Play:
    """Everybody, and what they do. A person does one thing after the other, and holds still while somebody
    writes to them (so that it is clear what must arrive); rooms wait for nobody."""

    def __init__(
        self, town: Town, ledger: Ledger, witness: Witness, host: str, c2s_port: int, irc_port: int
    ) -> None:
        self.town = town
        self.ledger = ledger
        self.witness = witness
        self.host, self.c2s_port, self.irc_port = host, c2s_port, irc_port
        self.users: dict[str, XmppUser] = {}
        self.natives: dict[str, IrcPerson] = {}
        self.done: Counter[str] = Counter()
        self._hands = asyncio.Semaphore(AT_ONCE)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._nicks: Counter[str] = Counter()

    # -- the day

    async def people_on_irc(self) -> None:
        """All who are on IRC itself come."""
        for number in range(self.town.natives):
            self.natives[f"p{number}"] = IrcPerson(self.ledger, f"p{number}", f"p{number}")
        await asyncio.gather(*(self._native_comes(each) for each in self.natives.values()))

    async def _native_comes(self, native: IrcPerson) -> None:
        await native.connect(self.irc_port)
        for room in self.town.rooms_of(native.person):
            await native.join(room)

    async def users_come(self, people: Iterable[str]) -> None:
        """Users log in and join their rooms."""
        for person in people:
            self.users[person] = XmppUser(self.ledger, person, self.host)
        await asyncio.gather(*(self._user_comes(user) for user in self.users.values()))

    async def _user_comes(self, user: XmppUser) -> None:
        await user.connect(self.c2s_port)
        rooms = self.town.rooms_of(user.person)
        for room in rooms:
            await user.join(room)
        if self.town.keeps(user.person):
            user.send(f"<presence type='subscribe' to='{room_jid(rooms[0])}'/>")

    async def users_go(self) -> None:
        """Users leave their rooms for good, and log out."""
        await asyncio.gather(*(self._user_goes(user) for user in self.users.values()))
        self.users.clear()

    async def _user_goes(self, user: XmppUser) -> None:
        rooms = self.town.rooms_of(user.person)
        if self.town.keeps(user.person):
            user.send(f"<presence type='unsubscribe' to='{room_jid(rooms[0])}'/>")
        for room in rooms:
            await self.caught_up(user, room)
            await user.leave(room)
            segment = self.ledger.rooms[room].segments[user.person][-1]
            await until(partial(_is_over, segment), f"{user.person} to leave room {room} on IRC")
        await user.close()

    async def run(self, steps: Iterable[Step]) -> None:
        """Do all the steps, each not before its time."""
        lanes: defaultdict[str, list[Step]] = defaultdict(list)
        for step in steps:
            lanes[step.who].append(step)
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for steps_of_one in lanes.values():
                tasks.create_task(self._lane(steps_of_one, began))

    async def _lane(self, steps: list[Step], began: float) -> None:
        loop = asyncio.get_running_loop()
        for step in steps:
            await asyncio.sleep(max(0.0, began + step.at - loop.time()))
            work: Callable[[Step], Awaitable[None]] = getattr(self, f"_do_{step.kind}")
            async with self._hands, contextlib.AsyncExitStack() as held:
                for person in sorted({step.who, step.other} if "direct" in step.kind else {step.who}):
                    await held.enter_async_context(self._locks[person])
                await work(step)
            self.done[step.kind] += 1

    async def quiet(self) -> None:
        """Wait until everybody has seen all that was said in their rooms, and the subject there."""
        for user in self.users.values():
            for room in self.town.rooms_of(user.person):
                await self.caught_up(user, room)
                stay, topics = user.stays[room], self.ledger.rooms[room].topics
                if topics:
                    await until(
                        lambda stay=stay, topics=topics: stay.subject == topics[-1],
                        lambda stay=stay, topics=topics: (
                            f"{topics[-1]!r} in {stay.room}, {stay.person} has {stay.subject!r}"
                        ),
                    )

    async def caught_up(self, user: XmppUser, room: int) -> None:
        """Wait until a client has the newest message of its room; from then on it must have all before."""
        stay = user.stays[room]
        newest = self.ledger.awaited(stay)
        if newest is not None:
            await until(
                lambda: newest in stay.seen,
                lambda: f"message {newest} of {self.ledger.by[newest]} in room {room}, for {user.person}",
            )
            stay.must_to = self.ledger.rooms[room].position[newest] + 1

    # -- talk

    async def _do_say(self, step: Step) -> None:
        user, log = self.users[step.who], self.ledger.rooms[step.room]
        numbers = [self.ledger.new(step.who, step.room) for _ in range(step.count)]
        for number in numbers:
            user.say(number, room_jid(step.room), "groupchat")
        for number in numbers:
            await until(
                lambda number=number: self.ledger.reflected[number] or f"m{number}" in user.errors,
                f"the reflection of {number}, or an error, for {step.who}",
            )
            if f"m{number}" in user.errors:
                self.ledger.refused[number] = user.errors.pop(f"m{number}")
            else:
                await until(lambda number=number: number in log.position, f"message {number} on IRC")

    async def _do_native_say(self, step: Step) -> None:
        native, log = self.natives[step.who], self.ledger.rooms[step.room]
        numbers = [self.ledger.new(step.who, step.room) for _ in range(step.count)]
        native.send(*(f"PRIVMSG {channel(step.room)} :{text_of(number)}" for number in numbers))
        await until(lambda: numbers[-1] in log.position, f"message {numbers[-1]} on IRC")

    async def _do_direct(self, step: Step) -> None:
        await self._direct_to(step, self.natives[step.other].nick)

    async def _do_direct_user(self, step: Step) -> None:
        await self._direct_to(step, self.users[step.other].nick)

    async def _direct_to(self, step: Step, nick: str) -> None:
        user = self.users[step.who]
        numbers = [self.ledger.new(step.who, to=step.other) for _ in range(step.count)]
        for number in numbers:
            user.say(number, puppet(nick), "chat")
        for number in numbers:
            await until(
                lambda number=number: self.ledger.received[number] or f"m{number}" in user.errors,
                f"private message {number} of {step.who} to {nick}",
            )
            if f"m{number}" in user.errors:
                self.ledger.refused[number] = user.errors.pop(f"m{number}")

    async def _do_native_direct(self, step: Step) -> None:
        native, user = self.natives[step.who], self.users[step.other]
        numbers = [self.ledger.new(step.who, to=step.other) for _ in range(step.count)]
        native.send(*(f"PRIVMSG {user.nick} :{text_of(number)}" for number in numbers))
        for number in numbers:
            await until(
                lambda number=number: self.ledger.received[number],
                f"private message {number} of {step.who} to {user.nick}",
            )

    async def _do_nobody(self, step: Step) -> None:
        user, number = self.users[step.who], self.ledger.new(step.who, to="nobody")
        user.say(number, puppet("nobody"), "chat")
        await until(lambda: f"m{number}" in user.errors, f"a refusal of message {number} to nobody")
        self.ledger.refused[number] = user.errors.pop(f"m{number}")

    # -- coming and going

    async def _do_rejoin(self, step: Step) -> None:
        user = self.users[step.who]
        await self.caught_up(user, step.room)
        await user.leave(step.room)
        await asyncio.sleep(step.seconds / 10)
        await user.join(step.room)

    async def _do_native_rejoin(self, step: Step) -> None:
        native = self.natives[step.who]
        await native.ask(f"PART {channel(step.room)}", rf"^:{native.nick}!\S+ PART ")
        await native.join(step.room)

    async def _do_native_reconnect(self, step: Step) -> None:
        native = self.natives[step.who]
        await native.close()
        await self._native_comes(native)

    async def _do_offline(self, step: Step) -> None:
        user = self.users[step.who]
        stamp = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        seen: dict[int, int | None] = {}
        for room, stay in user.stays.items():
            await self.caught_up(user, room)
            seen[room], stay.how = stay.must_to, "offline"
        await user.close()
        user.stays.clear()
        user.own.clear()
        await asyncio.sleep(step.seconds)
        await user.connect(self.c2s_port)
        for room in self.town.rooms_of(step.who):
            if step.count % 2:
                await user.join(room, asked=200, since=seen[room], stamp=stamp)
            else:
                await user.join(room)

    async def _do_device(self, step: Step) -> None:
        """A second client of the same user for a while."""
        user = self.users[step.who]
        device = XmppUser(self.ledger, step.who, self.host)
        device.nick = user.nick
        await device.connect(self.c2s_port)
        for room in self.town.rooms_of(step.who):
            await device.join(room)
        await asyncio.sleep(step.seconds / 4)
        for room in self.town.rooms_of(step.who):
            await self.caught_up(device, room)
            await device.leave(room)
        await device.close()

    async def _do_link_lost(self, step: Step) -> None:
        """An operator ends the user's connection to IRC."""
        user, rooms = self.users[step.who], self.town.rooms_of(step.who)
        before = user.times_lost.copy()
        self.witness.send(f"KILL {user.nick} :link lost")
        for room in rooms:
            await until(
                lambda room=room: user.times_lost[room] > before[room], f"{step.who} to lose room {room}"
            )
        for room in rooms:
            await user.state(room, "in")

    async def _do_kicked(self, step: Step) -> None:
        user, log = self.users[step.who], self.ledger.rooms[step.room]
        stay = user.stays[step.room]
        self.witness.send(f"KICK {channel(step.room)} {user.nick} :out")
        await user.state(step.room, "kicked")
        segment = log.segments[step.who][-1]
        await until(lambda: segment.how == "KICK", f"the kick of {step.who} on IRC")
        stay.must_to = segment.end
        await user.join(step.room)

    # -- names, subjects, questions

    def _new_nick(self, person: str) -> str:
        self._nicks[person] += 1
        return f"{person}x{self._nicks[person]}"

    async def _do_nick(self, step: Step) -> None:
        user, nick = self.users[step.who], self._new_nick(step.who)
        user.send(f"<presence to='{room_jid(step.room)}/{nick}'/>")
        await until(lambda: user.nick == nick, f"{step.who} to be {nick}")

    async def _do_native_nick(self, step: Step) -> None:
        native, nick = self.natives[step.who], self._new_nick(step.who)
        await native.ask(f"NICK {nick}", rf"^:{native.nick}!\S+ NICK :?{nick}$")
        native.nick = nick

    def _topic(self, step: Step) -> str:
        return f"topic of {step.who} at {step.at:.2f}: <b> & grüße"

    async def _do_topic(self, step: Step) -> None:
        subject = self._topic(step)
        text = subject.replace("&", "&amp;").replace("<", "&lt;")
        self.users[step.who].send(
            f"<message type='groupchat' to='{room_jid(step.room)}'><subject>{text}</subject></message>"
        )
        topics = self.ledger.rooms[step.room].topics
        await until(lambda: subject in topics, f"the topic of {step.who}")

    async def _do_native_topic(self, step: Step) -> None:
        subject, topics = self._topic(step), self.ledger.rooms[step.room].topics
        self.natives[step.who].send(f"TOPIC {channel(step.room)} :{subject}")
        await until(lambda: subject in topics, f"the topic of {step.who}")

    async def _do_archive(self, step: Step) -> None:
        found = await self.users[step.who].archive(step.room, last=50)
        if len(found) != len(set(found)) or not self.ledger.in_order(found):
            self.ledger.complain(f"archive of {step.who}, room {step.room}: doubled or out of order: {found}")

    async def _do_ask(self, step: Step) -> None:
        user, room = self.users[step.who], room_jid(step.room)
        native = self.natives[step.other]
        ping = "<ping xmlns='urn:xmpp:ping'/>"
        card = (puppet(native.nick), "<vCard xmlns='vcard-temp'/>")
        questions = ((DOMAIN, _INFO), (room, _INFO), (room, _ITEMS), (f"{room}/{user.nick}", ping), card)
        to, question = questions[step.count - 1]
        answer = await user.ask(to, question)
        if answer.get("type") != "result" and "vCard" not in question:
            self.ledger.complain(f"{step.who}: {to} answers {question} with an error")

    async def _do_register(self, step: Step) -> None:
        user = self.users[step.who]
        for kind, inner in (("get", ""), ("set", _FORM.format(step.count)), ("set", "<remove/>")):
            answer = await user.ask(DOMAIN, _REGISTER.format(inner), kind)
            if answer.get("type") != "result":
                self.ledger.complain(f"{step.who}: registering ({kind} {inner}) ends in an error")
