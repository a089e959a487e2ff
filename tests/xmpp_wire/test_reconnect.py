"""How long to wait, and what to tell the administrator."""

from __future__ import annotations

import socket
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.xmpp.reconnect import backoff, from_exception, from_stream_error


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_stays_within_its_bounds(attempt: int, chance: float) -> None:
    assert 0.25 <= backoff(attempt, chance) <= 60
    assert backoff(attempt, chance) <= backoff(attempt + 1, 1)


def test_backoff_grows_from_at_once() -> None:
    assert [backoff(n, 1) for n in range(10)] == [0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(3, 0) == 1


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "unreachable", "h:1 refuses"),
        (OSError("Multiple exceptions: [Errno 111] Connection refused"), "unreachable", "h:1 refuses"),
        (socket.gaierror(-2, "Name or service not known"), "unreachable", "'h' cannot be resolved"),
        (OSError(113, "No route to host"), "unreachable", "No route to host"),
        (TimeoutError(), "timeout", "h:1 does not answer"),
    ],
)
def test_exceptions_are_named(error: Exception, kind: str, words: str) -> None:
    problem = from_exception(error, "h", 1)
    assert problem.kind == kind
    assert words in problem.text


def test_an_unknown_stream_error_keeps_its_words() -> None:
    ns = "urn:ietf:params:xml:ns:xmpp-streams"
    error = ET.fromstring(f"<error><system-shutdown xmlns='{ns}'/><text xmlns='{ns}'>bye</text></error>")
    problem = from_stream_error(error, "irc.test")
    assert problem.kind == "stream-error"
    assert "system-shutdown" in problem.text
    assert "bye" in problem.text
