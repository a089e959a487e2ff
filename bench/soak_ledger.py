"""Every message of a soak accounted for: who said it, in which order IRC had it, and who must have seen it.

A witness on IRC sees each room as its server orders it: who comes and goes, and what is said in between. So
for any client in a room it is known which messages it must be shown, and in which order. Pure."""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

ODD = ("plain", "<b> & \"two\" 'one'", "grüße, мир", "]]> &amp; 100%", "a  b\tc", "🎉 done")
"""Endings of messages, so that escaping is part of the work."""

_NUMBER = re.compile(r"#(\d+) ")
_PERSON = re.compile(r"[up]\d+")


def text_of(number: int) -> str:
    """The body of a message."""
    return f"#{number} {ODD[number % len(ODD)]}"


def number_of(text: str) -> int | None:
    """The number of a message with that body; None: it is none of ours. Raises ValueError for a changed
    one."""
    found = _NUMBER.match(text)
    if found is None:
        return None
    if text != text_of(int(found[1])):
        raise ValueError(f"a message was changed on its way: {text!r}")
    return int(found[1])


def person_of(nick: str) -> str:
    """Whose nick it is (`u17x3` is the third nick of `u17`); empty for the witness and servers."""
    found = _PERSON.match(nick)
    return found[0] if found else ""


@dataclass
class Segment:
    """A time that somebody was in a room: from position `start` to before `end` (None: still there)."""

    start: int
    end: int | None = None
    how: str = ""


class RoomLog:
    """A room as the witness saw it: `order` has the messages, `segments` who was there when."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.position: dict[int, int] = {}
        self.segments: defaultdict[str, list[Segment]] = defaultdict(list)
        self.doubled: list[int] = []
        self.topics: list[str] = []

    def came(self, person: str) -> None:
        """JOIN."""
        self.segments[person].append(Segment(len(self.order)))

    def went(self, person: str, how: str) -> None:
        """PART, KICK or QUIT; a QUIT of somebody who was not here is none of this room."""
        segments = self.segments[person]
        if segments and segments[-1].end is None:
            segments[-1].end, segments[-1].how = len(self.order), how

    def said(self, number: int) -> None:
        """PRIVMSG."""
        if number in self.position:
            self.doubled.append(number)
            return
        self.position[number] = len(self.order)
        self.order.append(number)


@dataclass
class Stay:
    """One client's time in one room, from its join to its end. `asked` is how much history it wanted (0:
    none, as after a lost link); `since` is the position from which it must have all, where that is known.
    `must_to` is the position before which it must have all, where it had time to; `how` says how it ended
    ("" while it goes on). One that was cut off has only what came before, without gaps."""

    person: str
    room: int
    asked: int = 0
    since: int | None = None
    history: array[int] = field(default_factory=lambda: array("q"))
    live: array[int] = field(default_factory=lambda: array("q"))
    seen: set[int] = field(default_factory=set)
    must_to: int | None = None
    how: str = ""
    subject: str = ""

    def take(self, number: int, late: bool) -> bool:
        """A message came. False: it had come before."""
        (self.history if late else self.live).append(number)
        fresh = number not in self.seen
        self.seen.add(number)
        return fresh


class Ledger:
    """All messages of a run, by number, and what became of them. `complaints` is empty after a good run."""

    def __init__(self, rooms: int) -> None:
        self.rooms = [RoomLog() for _ in range(rooms)]
        self.by: dict[int, str] = {}
        self.in_room: dict[int, int] = {}
        self.to: dict[int, str] = {}
        self.refused: dict[int, str] = {}
        self.reflected: Counter[int] = Counter()
        self.received: Counter[int] = Counter()
        self.deliveries = 0
        self.stays: list[Stay] = []
        self.complaints: list[str] = []
        self._next = 0

    def new(self, person: str, room: int | None = None, to: str = "") -> int:
        """Number a message that somebody is about to send, to a room or a person."""
        number = self._next
        self._next += 1
        self.by[number] = person
        if room is not None:
            self.in_room[number] = room
        else:
            self.to[number] = to
        return number

    @property
    def count(self) -> int:
        """How many messages were sent so far."""
        return self._next

    def complain(self, text: str) -> None:
        """Something is wrong."""
        self.complaints.append(text)

    def awaited(self, stay: Stay) -> int | None:
        """The newest message that a client in a room must have seen when all that was said is through."""
        log = self.rooms[stay.room]
        segments = log.segments[stay.person]
        if not segments or segments[-1].end is not None:
            return None
        for position in range(len(log.order) - 1, max(segments[-1].start, stay.since or 0) - 1, -1):
            if self.by[log.order[position]] != stay.person:
                return log.order[position]
        return None

    # -- judging, when all is over

    def judge(self) -> list[str]:
        """All complaints."""
        for number, log in enumerate(self.rooms):
            self._judge_room(number, log)
        for stay in self.stays:
            self.complaints += self.judge_stay(stay)
        self._judge_direct()
        return self.complaints

    def _judge_room(self, number: int, log: RoomLog) -> None:
        """What reached IRC: once, in each sender's order, all that was not refused."""
        if log.doubled:
            self.complain(f"room {number}: doubled on IRC: {log.doubled[:5]}")
        last: dict[str, int] = {}
        for said in log.order:
            person = self.by[said]
            if said < last.get(person, -1):
                self.complain(f"room {number}: {person} said {said} before {last[person]}, IRC has it after")
            last[person] = said
        for said, room in self.in_room.items():
            if room == number and said not in log.position and said not in self.refused:
                self.complain(f"room {number}: {said} of {self.by[said]} is lost: not on IRC, not refused")

    def judge_stay(self, stay: Stay) -> list[str]:
        """What a client was shown of a room: all that it must have, once, in order."""
        log, who = self.rooms[stay.room], f"{stay.person} in room {stay.room} ({stay.how or 'there'})"
        shown = [*stay.history, *stay.live]
        wrong = [f"{who}: doubled: {number}" for number, times in Counter(shown).items() if times > 1]
        foreign = [number for number in shown if number not in log.position]
        if foreign:
            return [*wrong, f"{who}: shown what was not said on IRC: {foreign[:5]}"]
        own = [number for number in shown if self.by[number] == stay.person]
        positions = [log.position[number] for number in shown if self.by[number] != stay.person]
        if own != sorted(own) or positions != sorted(positions):
            wrong.append(f"{who}: out of order")
        missing = self._missing(stay, set(positions))
        if missing:
            wrong.append(f"{who}: {len(missing)} lost: {missing[:5]}")
        return wrong

    def _missing(self, stay: Stay, positions: set[int]) -> list[int]:
        log = self.rooms[stay.room]
        to = max(positions, default=-1) + 1 if stay.must_to is None else stay.must_to
        segments = [segment for segment in log.segments[stay.person] if segment.start <= to]
        if not segments:
            return []
        segment = segments[-1]
        start = segment.start
        if stay.asked and len(stay.history) >= stay.asked and stay.since is None:
            start = max(start, min((p for p in positions if p >= start), default=to))
        elif stay.since is not None:
            start = max(start, stay.since)
        end = to if segment.end is None else min(to, segment.end)
        return self._others(stay.person, log, range(start, end), positions)

    def _others(self, person: str, log: RoomLog, wanted: range, had: set[int]) -> list[int]:
        return [log.order[p] for p in wanted if p not in had and self.by[log.order[p]] != person]

    def judge_archive(self, person: str, room: int, archived: list[int]) -> list[str]:
        """A whole archive of somebody's room: all that was shown, once, and no gap while they were there."""
        log, who = self.rooms[room], f"archive of {person}, room {room}"
        wrong = [f"{who}: doubled: {number}" for number, times in Counter(archived).items() if times > 1]
        unknown = [number for number in archived if number not in log.position]
        if unknown:
            return [*wrong, f"{who}: has what was not said on IRC: {unknown[:5]}"]
        had, shown = set(archived), set[int]()
        for stay in self.stays:
            if stay.person == person and stay.room == room:
                shown |= stay.seen
        if shown - had:
            wrong.append(f"{who}: lacks what was shown: {sorted(shown - had)[:5]}")
        positions = {log.position[number] for number in archived}
        for segment in log.segments[person]:
            end = len(log.order) if segment.end is None else segment.end
            if segment.how not in ("", "KICK"):
                end = max((p for p in positions if segment.start <= p < end), default=-1) + 1
            missing = self._others(person, log, range(segment.start, end), positions)
            if missing:
                wrong.append(f"{who}: {len(missing)} lost: {missing[:5]}")
        return wrong

    def _judge_direct(self) -> None:
        for number in self.to:
            times = self.received[number]
            if times > 1 or (times and number in self.refused):
                self.complain(
                    f"private message {number} came {times} times, refused: {number in self.refused}"
                )
            if not times and number not in self.refused:
                self.complain(f"private message {number} of {self.by[number]} is lost: not come, not refused")

    def in_order(self, numbers: Iterable[int]) -> bool:
        """Whether somebody got each sender's messages in order."""
        last: dict[str, int] = {}
        for number in numbers:
            if number < last.get(self.by[number], -1):
                return False
            last[self.by[number]] = number
        return True
