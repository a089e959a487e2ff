"""Knows the 99 numbered colours of IRC text (https://modern.ircdocs.horse/formatting#colors)."""

from __future__ import annotations

_DIGITS = (
    "ffffff00000000007f009300ff00007f00009c009cfc7f00ffff0000fc0000939300ffff0000fcff00ff"
    "7f7f7fd2d2d247000047210047470032470000470000472c0047470027470000472e004747004747002a"
    "740000743a007474005174000074000074490074740040740000744b0074740074740045b50000b56300"
    "b5b5007db50000b50000b57100b5b50063b50000b57500b5b500b5b5006bff0000ff8c00ffff00b2ff00"
    "00ff0000ffa000ffff008cff0000ffa500ffff00ffff0098ff5959ffb459ffff71cfff606fff6f65ffc9"
    "6dffff59b4ff5959ffc459ffff66ffff59bcff9c9cffd39cffff9ce2ff9c9cff9c9cffdb9cffff9cd3ff"
    "9c9cffdc9cffff9cffff94d30000001313132828283636364d4d4d6565658181819f9f9fbcbcbce2e2e2"
    "ffffff"
)

PALETTE = tuple(_DIGITS[at : at + 6] for at in range(0, len(_DIGITS), 6))
"""Colour number -> `rrggbb`; the first sixteen are those that every client knows."""
