"""How long the carrier waits for what, in seconds; tests take shorter ones."""

from __future__ import annotations

import msgspec


class Times(msgspec.Struct, frozen=True):
    """`connect`: until a link is bound. A broken link that had been up for `steady` is made again after
    `quick`, then after `first`, and twice as long each time up to `most`; a login that is refused is tried
    again after `login`. `busy`: for so long one text is offered to a carrier that is too busy. `fence`: the
    least time between two questions whether our answers were read. `tidy`: how soon after such a fence the
    store hears of it. `stored`: for so long what came may take to be stored. `leave`, `unbind`: for so long
    answers, and that of the unbind, are waited for at the end.
    """

    connect: float = 15.0
    quick: float = 0.3
    first: float = 1.0
    most: float = 60.0
    login: float = 60.0
    steady: float = 30.0
    busy: float = 60.0
    fence: float = 0.1
    tidy: float = 0.5
    stored: float = 20.0
    leave: float = 1.2
    unbind: float = 0.5
