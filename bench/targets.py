"""What we promise ourselves, beside a peer measured in the same run, or as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.cases import BOTH
from bench.figures import CPU, IDLE, P50, P99, RATE, START, USER_KIB, WALL, Figures

SLIDGE_IN_US = 301.0
"""CPU of slidge 0.5.3 for a direct message that it takes from a network, stores and delivers; measured
once, on a machine like the one of these targets, not in this run."""

SLIDGE_OUT_US = 4266.0
"""The same for a direct message from a client to a network."""

Kind = Literal["most of peer", "least of peer", "most", "least"]


@dataclass(frozen=True)
class Target:
    """A bound of one figure: a share of the peer's ("most of peer", "least of peer"), or a number
    ("most", "least")."""

    case: str
    archive: bool
    figure: str
    kind: Kind
    bound: float

    def words(self) -> str:
        """As the table says it."""
        if self.kind in ("most", "least"):
            return f"{'≤' if self.kind == 'most' else '≥'} {self.bound:g}"
        return f"{'≥' if self.kind == 'least of peer' else '≤'} {self.bound:g}x"

    def met(self, ours: Figures, peer: Figures) -> bool | None:
        """Whether the figures keep it; None: it needs a peer that was not measured."""
        value = ours[self.figure]
        if self.kind == "most":
            return value <= self.bound
        if self.kind == "least":
            return value >= self.bound
        if not peer:
            return None
        limit = self.bound * peer[self.figure]
        return value >= limit if self.kind == "least of peer" else value <= limit


def _targets() -> list[Target]:
    found = [
        Target("irc-to-xmpp", False, CPU, "most of peer", 0.5),
        Target("irc-to-xmpp", False, RATE, "least of peer", 2),
        Target("irc-to-xmpp", True, CPU, "most of peer", 0.04),
        Target("irc-to-xmpp", True, RATE, "least of peer", 50),
        Target("irc-to-xmpp-long", False, CPU, "most of peer", 0.5),
        Target("irc-to-xmpp-long", False, RATE, "least of peer", 2),
        Target("fan-out", False, CPU, "most of peer", 0.4),
        Target("fan-out", True, CPU, "most of peer", 0.03),
        Target("xmpp-to-irc", False, CPU, "most of peer", 0.65),
        Target("xmpp-to-irc", True, CPU, "most of peer", 0.05),
        Target("latency", True, P50, "most", 0.4),
        Target("latency", True, P99, "most", 5),
    ]
    for archive in BOTH:
        found += [
            Target("resources", archive, CPU, "most of peer", 0.25),
            Target("joins", archive, CPU, "most of peer", 0.3),
            Target("joins", archive, WALL, "most of peer", 0.3),
            Target("joins", archive, USER_KIB, "most of peer", 0.8),
            Target("start", archive, START, "most", 1),
            Target("start", archive, IDLE, "most", 75),
            Target("direct-in", archive, CPU, "most", SLIDGE_IN_US / 10),
            Target("direct-out", archive, CPU, "most", SLIDGE_OUT_US / 10),
        ]
    return found


TARGETS = {(target.case, target.archive, target.figure): target for target in _targets()}
