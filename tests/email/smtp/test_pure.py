"""What answers mean, when it is tried again, which addresses are taken, how mails look on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.email.smtp import retries
from backends.email.smtp.address import for_the_wire, is_address, read_path, xtext
from backends.email.smtp.dots import Stuffer, Unstuffer
from backends.email.smtp.inbound import NO_MAILBOX, NOT_NOW, TAKEN, Answer, Envelope, Protocol, together
from backends.email.smtp.offer import NO_RELAY, Offer, read_mail, read_rcpt
from backends.email.smtp.replies import Reply, meaning, outcome, words_of
from backends.email.smtp.trace import TRACE_HEADER, LoopWatch, headers
from bridge.api import Later, Reason, Refused, Sent

SPOKEN: list[tuple[int, str, Reason, str]] = [
    (550, "5.1.1 The email account that you tried to reach does not exist.", Reason.NOT_FOUND, "no mailbox"),
    (550, "No such user here", Reason.NOT_FOUND, "no mailbox"),
    (550, "5.1.10 RESOLVER.ADR.RecipientNotFound; not found", Reason.NOT_FOUND, "domain"),
    (552, "5.2.2 The recipient's inbox is out of storage space", Reason.RATE_LIMITED, "full"),
    (554, "Mailbox over quota", Reason.RATE_LIMITED, "full"),
    (552, "5.3.4 Message size exceeds fixed limit", Reason.TOO_LONG, "too big"),
    (552, "message too large", Reason.TOO_LONG, "too big"),
    (550, "5.7.1 Our system has detected that this message is likely spam", Reason.FORBIDDEN, "spam"),
    (554, "5.7.1 Service unavailable; Client host blocked using zen", Reason.FORBIDDEN, "spam"),
    (550, "5.7.26 This message does not pass authentication checks", Reason.FORBIDDEN, "SPF, DKIM"),
    (554, "5.7.1 <x@y.z>: Relay access denied", Reason.FORBIDDEN, "pass mail on"),
    (553, "5.7.1 Sender address rejected: not owned by user", Reason.FORBIDDEN, "as the sender"),
    (530, "5.7.0 Authentication required", Reason.FORBIDDEN, "allow"),
    (530, "Authentication required", Reason.NOT_AUTHORIZED, "login"),
    (501, "5.1.3 Bad recipient address syntax", Reason.BAD_REQUEST, "not written"),
    (550, "5.2.1 mailbox disabled", Reason.GONE, "disabled"),
    (554, "5.4.6 Too many hops", Reason.CONFLICT, "circles"),
    (554, "5.4.7 Delivery expired", Reason.TIMEOUT, "in time"),
    (554, "transaction failed", Reason.FORBIDDEN, "refuses"),
    (599, "5.9.9 what", Reason.FORBIDDEN, "refuses"),
]


@pytest.mark.parametrize(("code", "text", "reason", "words"), SPOKEN)
def test_refusals_are_told_in_words(code: int, text: str, reason: Reason, words: str) -> None:
    found = outcome(Reply(code, text), "mx.example.net:25", 1)
    assert isinstance(found, Refused)
    assert (found.reason, words in found.text) == (reason, True)
    assert found.text.endswith(f"mx.example.net:25 says: {code} {text}")


def test_a_status_alone_has_a_meaning() -> None:
    assert meaning(0, "5.1.1", "")[0] is Reason.NOT_FOUND
    assert meaning(0, "4.2.2", "")[1] == "The mailbox is full."
    assert meaning(0, "", "user unknown")[0] is Reason.NOT_FOUND


def test_words_fit_on_a_line() -> None:
    reply = Reply(550, "5.7.1 one\n5.7.1 two\x1b[31m\udcff\n5.7.1 " + "x" * 1000)
    words = words_of(reply)
    assert words.startswith("550 5.7.1 one two [31m? xxx")
    assert words.isprintable()
    assert len(words) == 300


@given(st.integers(-1, 999), st.text(max_size=200))
def test_every_answer_has_an_outcome(code: int, text: str) -> None:
    found = outcome(Reply(code, text), "mx", 1)
    if isinstance(found, Sent):
        assert 200 <= code < 300
    elif isinstance(found, Refused):
        assert 500 <= code < 600
    else:
        assert isinstance(found, Later)
        assert 50 < found.after <= 3605


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("4.7.1 Greylisted, try again in 5 minutes", 305.0),
        ("Greylisting in action, please come back in 00:04:59", 304.0),
        ("graylisted; retry in 60 s", 65.0),
        ("greylisted", None),
        ("try again in 3 years", None),
        ("try again in 99999 seconds", None),
        ("busy, 300 seconds", None),
    ],
)
def test_a_server_may_say_how_long(words: str, seconds: float | None) -> None:
    assert retries.wanted_pause(words) == seconds


def test_pauses_grow_and_it_ends() -> None:
    pauses = [retries.pause(n) for n in range(1, 12)]
    assert pauses[0] == 60
    assert pauses == sorted(pauses)
    assert pauses[-1] == 4 * 3600
    assert retries.pause(3, 0.0) == pytest.approx(540)
    now, attempts = 0.0, 1
    warnings: list[str] = []
    while not (
        verdict := retries.judge(
            0.0, now, attempts, now - retries.pause(attempts - 1) if attempts > 1 else None
        )
    ).give_up:
        warnings += [verdict.warning] if verdict.warning else []
        now += retries.pause(attempts)
        attempts += 1
    assert 5 * 86400 <= now < 5 * 86400 + 4 * 3600
    assert [each.split(";")[0] for each in warnings] == [
        f"Still not delivered after {each}" for each in ("4 hours", "24 hours", "3 days")
    ]  # fmt: skip
    assert verdict.warning == "It was tried for 5 days."
    assert not retries.judge(0.0, 30 * 86400, 1).give_up


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("bob@example.org", True), ("b.o+b@sub.example.org", True), ("jörg@bücher.example", True),
        ('"a b"@example.org', True), ("bob@[192.0.2.1]", True), ("bob", False), ("@example.org", False),
        ("bob@", False), ("a b@example.org", False), ("bob@example.org\r\nDATA", False),
        ("bob@exa\x00mple", False),
        ("b<o>b@example.org", False), ("a,b@example.org", False), ("x" * 65 + "@example.org", False),
        ("bob@" + "x" * 255, False), ("bob\udcff@example.org", False), ('"a\\"@example.org', False),
    ],
)  # fmt: skip
def test_addresses(text: str, good: bool) -> None:
    assert is_address(text) is good


@given(st.text(max_size=60))
def test_no_address_can_break_a_line(text: str) -> None:
    if is_address(text):
        wire = for_the_wire(text)
        assert wire.isprintable()
        assert not set("<>\r\n\0") & set(wire.partition("@")[2])
    read_path(f"<{text}>")
    assert xtext(text.encode("utf-8", "replace").decode()).isascii()


def test_paths() -> None:
    path = read_path("<@hop.example:Bob@Example.ORG> size=10 BODY=8bitmime")
    assert path is not None
    assert (path.address, path.params) == ("bob@example.org", {"SIZE": "10", "BODY": "8bitmime"})
    assert read_path("<>") is not None
    assert read_path("<Postmaster>") is not None
    for bad in ("bob@example.org", "<bob>", "<bob@example.org", "<a@b c>", "<a@b> =x", "", "<<a@b>>"):
        assert read_path(bad) is None


def test_offers() -> None:
    taken = read_mail("from:<a@example.net> SIZE=5", 10)
    assert isinstance(taken, Offer)
    codes = {
        "FROM:<a@example.net> SIZE=11": 552, "FROM:<a@example.net> X=1": 555, "FROM:<jö@example.net>": 553,
        "FROM:a@example.net": 501, "FROM:<a@example.net> SIZE=x": 501, "FROM:<a@example.net> BODY=9BIT": 501,
        "TO:<a@example.net>": 501, "": 501, "FROM:<a@example.net> SIZE=9999999999999999999999": 501,
    }  # fmt: skip
    for text, code in codes.items():
        answer = read_mail(text, 10)
        assert isinstance(answer, Answer)
        assert answer.code == code, text
    assert read_rcpt("TO:<X@Here.example>", taken, ("here.example",)) == "x@here.example"
    assert read_rcpt("TO:<postmaster>", taken, ("here.example",)) == "postmaster@here.example"
    assert read_rcpt("TO:<x@sub.here.example>", taken, ("here.example",)) == NO_RELAY
    assert read_rcpt('TO:<"x%there.example"@else.example>', taken, ("here.example",)) == NO_RELAY


def test_one_answer_for_all() -> None:
    assert together([TAKEN, TAKEN]) == TAKEN
    assert together([NO_MAILBOX, NO_MAILBOX]) == NO_MAILBOX
    assert together([TAKEN, NOT_NOW]) == NOT_NOW
    assert together([TAKEN, NO_MAILBOX]).code == 451


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


MAILS = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\0", b"\xff", b".\r\n", b"\n.\n"])
).map(b"".join)


@given(MAILS, st.lists(st.integers(0, 1000)))
def test_what_is_stuffed_is_unstuffed(mail: bytes, cuts: list[int]) -> None:
    stuffer, unstuffer = Stuffer(), Unstuffer()
    wire = b"".join(stuffer.feed(piece) for piece in _pieces(mail, cuts)) + stuffer.end()
    assert wire.count(b"\r\n.\r\n") == (0 if wire == b".\r\n" else 1)
    assert wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
    out, after = b"", b""
    for piece in _pieces(wire + b"QUIT\r\n", cuts):
        if unstuffer.finished:
            after += piece
        else:
            some, rest = unstuffer.feed(piece)
            out, after = out + some, after + rest
    lines = mail.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert out == (lines if lines.endswith(b"\n") or not lines else lines + b"\n").replace(b"\n", b"\r\n")
    assert after == b"QUIT\r\n"


@given(MAILS, st.lists(st.integers(0, 1000)))
def test_only_one_thing_ends_a_mail(data: bytes, cuts: list[int]) -> None:
    unstuffer = Unstuffer()
    for piece in _pieces(data, cuts):
        if not unstuffer.finished:
            unstuffer.feed(piece)
    assert unstuffer.finished == (data.startswith(b".\r\n") or b"\r\n.\r\n" in data)


def _trace(recipients: tuple[str, ...], helo: str = "mail.example.net") -> bytes:
    envelope = Envelope("1f", "a@example.net", recipients, "192.0.2.1", helo, True, 0)
    return headers(envelope, Protocol.SMTP, "bridge.example.org", datetime(2026, 11, 26, tzinfo=UTC))


def test_trace_headers_tell_no_blind_recipient() -> None:
    assert b"for <x@here.example>" in _trace(("x@here.example",))
    assert b"here.example" not in _trace(("x@here.example", "y@here.example"))
    assert _trace(("x@y.z",), "evil\r\nX: y (").count(b"\n") == _trace(("x@y.z",)).count(b"\n")


def test_loops_show() -> None:
    def loop(text: bytes, step: int = 7) -> bool:
        watch = LoopWatch("bridge.example.org")
        for start in range(0, len(text), step):
            watch.feed(text[start : start + step])
        return watch.loop

    received = b"RECEIVED: from a by b;\r\n\t now\r\n"
    assert not loop(received * 50 + b"\r\n")
    assert loop(received * 51 + b"\r\n")
    assert not loop(b"Subject: x\r\n\r\n" + received * 99)
    own = f"{TRACE_HEADER}: bridge.example.org\r\n".encode()
    assert loop(own * 3 + b"\r\n")
    assert not loop(own * 2 + f"{TRACE_HEADER}: other.example\r\n".encode() * 9 + b"\r\n")
    assert not loop(b"x" * 3_000_000, 65536)
