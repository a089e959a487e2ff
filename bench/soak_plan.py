"""What happens in a soak and when: drawn from a seed, so that the same seed is the same day. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

WEIGHTS = {
    "say": 700, "native_say": 600, "direct": 60, "native_direct": 60, "direct_user": 60, "nobody": 15,
    "rejoin": 50, "native_rejoin": 30, "nick": 20, "native_nick": 15, "offline": 20, "topic": 20,
    "native_topic": 10, "archive": 40, "ask": 60, "register": 8, "link_lost": 8, "kicked": 8, "device": 8,
    "native_reconnect": 6,
}  # fmt: skip
"""How often each thing happens. Those that begin with `native` are done by people on IRC."""

AWAY = (0.5, 2.0, 4.0, 10.0)
"""Seconds that somebody is offline: less and more than the bridge waits before it leaves their rooms."""


@dataclass(frozen=True)
class Step:
    """At `at` seconds `who` does `kind`: in `room`, with `other`, `count` times, for `seconds`."""

    at: float
    kind: str
    who: str
    room: int
    other: str
    count: int
    seconds: float


@dataclass(frozen=True)
class Town:
    """How many there are of everything; each user is in two rooms, one in ten keeps the first."""

    users: int = 200
    rooms: int = 20
    natives: int = 20

    def rooms_of(self, who: str) -> tuple[int, ...]:
        """Where somebody is to be found."""
        number = int(who[1:])
        first, step = number % self.rooms, 1 + number // self.rooms % max(1, self.rooms - 1)
        return tuple(dict.fromkeys((first, (first + step) % self.rooms)))

    def keeps(self, who: str) -> bool:
        """Whether the first room is in the roster, and so kept while its user is offline."""
        return who[0] == "u" and int(who[1:]) % 10 == 0


def plan(town: Town, seconds: float, rate: float, seed: int) -> Iterator[Step]:
    """The steps in order of time, `rate` in a second."""
    chance = random.Random(seed)
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    for number in range(int(seconds * rate)):
        kind = chance.choices(kinds, weights)[0]
        native = kind.startswith("native")
        who = f"p{chance.randrange(town.natives)}" if native else f"u{chance.randrange(town.users)}"
        to_user = kind in ("native_direct", "direct_user")
        other = f"u{chance.randrange(town.users)}" if to_user else f"p{chance.randrange(town.natives)}"
        while other == who:
            other = f"u{chance.randrange(town.users)}"
        room = chance.choice(town.rooms_of(who))
        yield Step(number / rate, kind, who, room, other, chance.randint(1, 5), chance.choice(AWAY))
