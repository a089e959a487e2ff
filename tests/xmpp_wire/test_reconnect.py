"""How long to wait, and what to tell the administrator."""

from __future__ import annotations

import socket
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.xmpp.reconnect import LinkProblem, Retries, backoff, from_exception, from_stream_error


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_stays_within_its_bounds(attempt: int, chance: float) -> None:
    assert 0.25 <= backoff(attempt, chance) <= 60
    assert backoff(attempt, chance) <= backoff(attempt + 1, 1)


def test_backoff_grows_from_at_once() -> None:
    assert [backoff(n, 1) for n in range(10)] == [0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(3, 0) == 1


CLOSED = LinkProblem("closed", "")
CONFLICT = LinkProblem("conflict", "")


def test_a_stream_that_lasted_is_had_again_at_once() -> None:
    retries = Retries(stable_seconds=2)
    assert [retries.delay(0, CLOSED, 1) for _ in range(4)] == [0.5, 1, 2, 4]
    assert retries.delay(2, CLOSED, 1) == 0


def test_a_server_that_is_there_but_does_not_last_is_not_left_alone_for_long() -> None:
    retries = Retries(stable_seconds=2)
    assert [retries.delay(0, CLOSED, 1) for _ in range(6)][-1] == 16
    assert [retries.delay(1, CLOSED, 1) for _ in range(6)] == [2] * 6


def test_the_first_refusal_for_our_own_last_stream_is_followed_by_a_try_at_once() -> None:
    retries = Retries(stable_seconds=2)
    assert [retries.delay(0, problem, 1) for problem in (CLOSED, CONFLICT, CONFLICT)] == [0.5, 0, 2]
    assert retries.delay(3, CLOSED, 1) == 0
    assert retries.delay(0, CONFLICT, 1) == 0


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
