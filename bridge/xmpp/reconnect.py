"""Knows why a component stream cannot be had, in words a person can act on, and when to try again."""

from __future__ import annotations

import socket
import ssl
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

from msgspec import Struct

__all__ = [
    "CLOSED_EARLY",
    "LinkProblem",
    "ProblemKind",
    "Retries",
    "backoff",
    "from_broken_xml",
    "from_exception",
    "from_stream_error",
]

FIRST_DELAY = 0.5
LONGEST_DELAY = 60.0
_SHORT_LIVED = 2

_STREAMS = "{urn:ietf:params:xml:ns:xmpp-streams}"

ProblemKind = Literal[
    "unreachable",
    "tls",
    "timeout",
    "wrong-secret",
    "conflict",
    "host-unknown",
    "wrong-port",
    "stream-error",
    "closed",
    "silent",
    "overflow",
    "stopped",
]


class LinkProblem(Struct, frozen=True):
    """Why there is no stream. `kind` is for programs, `text` for the administrator."""

    kind: ProblemKind
    text: str


CLOSED_EARLY = LinkProblem(
    "closed", "the server closed the connection before it accepted us: is this its component port?"
)


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait before the connection attempt that follows `attempt` failures in a row.

    At once after none; then half to the whole of 0.5, 1, 2 ... 60 s, by `chance` (0 to 1), so that
    many gateways do not come back to a restarted server in the same moment.
    """
    if attempt <= 0:
        return 0.0
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempt - 1, 20))
    return longest * (0.5 + 0.5 * chance)


class Retries:
    """When to connect again, after streams that never were or that did not last."""

    def __init__(self, stable_seconds: float) -> None:
        """A stream that lived for `stable_seconds` makes all failures before it forgotten."""
        self._stable_seconds = stable_seconds
        self._failures = 0
        self._refused = False

    def delay(self, lived: float, problem: LinkProblem | None, chance: float) -> float:
        """Seconds to wait after a stream that was up for `lived` seconds (0: never) and ended so.

        A server that is known to be there is not left alone for long. One that refuses us because it still
        holds our last stream lets go of that now: the first such refusal is followed by a try at once."""
        if lived >= self._stable_seconds:
            self._failures = 0
        else:
            self._failures = (min(self._failures, _SHORT_LIVED) if lived else self._failures) + 1
        before, self._refused = self._refused, problem is not None and problem.kind == "conflict"
        return 0.0 if self._refused and not before else backoff(self._failures, chance)


def from_exception(error: Exception, host: str, port: int, connected: bool = False) -> LinkProblem:
    """What an exception of `loop.create_connection` means, or of the wait for an answer once `connected`."""
    where = f"{host}:{port}"
    if isinstance(error, TimeoutError) and connected:
        hint = (
            "is this the XMPP server's component port, and does it speak TLS there or not as configured here?"
        )
        return LinkProblem("timeout", f"{where} takes the connection, but does not answer: {hint}")
    if isinstance(error, TimeoutError):
        return LinkProblem("timeout", f"{where} does not answer: a firewall, or an overloaded server?")
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"the certificate of {where} is not accepted: {error.verify_message}"
        return LinkProblem("tls", f"{reason}; give the right host name or CA file")
    if isinstance(error, ssl.SSLError):
        return LinkProblem("tls", f"no TLS with {where} ({error.reason}): does this port speak TLS at all?")
    if isinstance(error, FileNotFoundError | PermissionError):
        return LinkProblem("tls", f"the CA file cannot be read: {error}")
    if isinstance(error, socket.gaierror):
        return LinkProblem("unreachable", f"the host name {host!r} cannot be resolved: {error.strerror}")
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error).lower():
        hint = "is the XMPP server running, and is this its component port?"
        return LinkProblem("unreachable", f"{where} refuses the connection: {hint}")
    return LinkProblem("unreachable", f"cannot reach {where}: {error}")


def from_broken_xml(error: ParseError, begun: bool, host: str, port: int) -> LinkProblem:
    """What is no XML, in a stream or (not `begun`) instead of one."""
    if not begun:
        text = f"what answers at {host}:{port} does not speak XMPP: is this the server's component port?"
        return LinkProblem("wrong-port", text)
    where = f"line {error.position[0]}, column {error.position[1]}"
    return LinkProblem("stream-error", f"the server sent broken XML ({where})")


def from_stream_error(error: Element, domain: str) -> LinkProblem:
    """What a received `<stream:error/>` (RFC 6120 §4.9) means for the component `domain`."""
    conditions = [child.tag[len(_STREAMS) :] for child in error if child.tag.startswith(_STREAMS)]
    condition = next((name for name in conditions if name != "text"), "undefined-condition")
    said = error.findtext(_STREAMS + "text") or ""
    known = _KNOWN.get(condition)
    detail = f" (the server said: {said})" if said else ""
    if known is not None:
        return LinkProblem(known[0], known[1].format(domain=domain) + detail)
    return LinkProblem("stream-error", f"the server ended the stream with {condition}{detail}")


_KNOWN: dict[str, tuple[ProblemKind, str]] = {
    "not-authorized": (
        "wrong-secret",
        "the server does not accept the secret of {domain}: compare it with the server's configuration",
    ),
    "conflict": (
        "conflict",
        "{domain} is connected to the server already: is another gateway running? "
        "(after a broken connection this ends by itself)",
    ),
    "host-unknown": (
        "host-unknown",
        "the server does not know {domain}: configure it there as an external component, "
        "and see that this is its port for components (often 5347; 5222 is for clients)",
    ),
    "invalid-namespace": (
        "wrong-port",
        "this port of the server is not for components (it may be that for clients): "
        "give the port where {domain} is to connect",
    ),
    "host-gone": ("host-unknown", "the server no longer serves {domain}"),
}
