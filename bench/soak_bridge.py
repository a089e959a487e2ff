"""The bridge as the soak runs it: what it remembers of the newest so many is full from the start, with names
that nobody has. So its memory is at its most, and what still grows is no such memory.

It takes the bridge's own command line."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable

from backends.irc.casemap import fold_ascii, fold_rfc1459
from backends.irc.channels import make_occupant, read_names
from backends.irc.link import _room_for_text
from bridge.api import ContactAddress, ContactId, NetworkId, Rank
from bridge.app import run
from bridge.app.cli import main
from bridge.core.gateway import Gateway
from bridge.core.ground import _digest
from bridge.core.sentids import KEPT
from bridge.xmpp.addresses import Addresses
from bridge.xmpp.inbound import _kept_addresses
from bridge.xmpp.jids import _kept, bare, split
from bridge.xmpp.render import jid_attr

NICKS_IN_A_REPLY = 30


def _jid(number: int) -> str:
    return f"f{number}@example.test/soak{number}"


def _reply(number: int) -> str:
    return " ".join(f"f{number}x{each}" for each in range(NICKS_IN_A_REPLY))


CACHES: list[tuple[Callable[..., object], Callable[[int], tuple[object, ...]]]] = [
    (_kept, lambda number: (_jid(number),)),
    (split, lambda number: (_jid(number),)),
    (bare, lambda number: (_jid(number),)),
    (_kept_addresses, lambda number: (_jid(number), f"#fill{number}%net@irc.example.test")),
    (jid_attr, lambda number: (_jid(number),)),
    (_digest, lambda number: (f"#fill{number}%net@irc.example.test\0stay\0fill", b"")),
    (fold_ascii, lambda number: (f"F{number}",)),
    (fold_rfc1459, lambda number: (f"F{number}",)),
    (read_names, lambda number: (_reply(number), fold_rfc1459, "@+", "ov")),
    (make_occupant, lambda number: (f"f{number}", Rank.MEMBER, f"~f{number}@127.0.0.1", "", False)),
    (_room_for_text, lambda number: (512, "fill", "", f"f{number}")),
]
"""Each with arguments to fill it. (Others are for odd names and rare networks: nothing fills them here.)"""


def fill(caches: Iterable[tuple[Callable[..., object], Callable[[int], tuple[object, ...]]]]) -> None:
    """Fill caches to the brim."""
    for cache, arguments in caches:
        size = cache.cache_info().maxsize  # type: ignore[attr-defined]
        for number in range(size):
            cache(*arguments(number))


def fill_gateways() -> None:
    """What each gateway remembers for itself."""
    for known in gc.get_objects():
        if type(known) is Addresses:
            address = lambda number: (ContactAddress(NetworkId("net"), ContactId(f"f{number}")),)  # noqa: E731
            fill([(known.jid, address)])
        elif type(known) is Gateway:
            for number in range(KEPT):
                known._ground.senders.remember("fill", "fill", f"m{number}", _jid(number))


class Full(run.App):
    """The bridge's program, with its memories full."""

    async def _serve(self) -> None:
        fill(CACHES)
        fill_gateways()
        await super()._serve()


if __name__ == "__main__":
    run.App = Full  # type: ignore[misc]
    main()
