"""No octets whatsoever make the reader of mails raise, or take long."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.email.reading import (
    charsets,
    file_names,
    flowed,
    html_text,
    new_text,
    parameters,
    people,
    words,
)
from backends.email.reading.mail import read_mail
from backends.email.reading.unread import unread
from backends.email.values import Limits, ReadMail, SavedFile
from backends.email.worker import jobs
from tests.email import mail_table

SAMPLES = [(mail_table.FOLDER / f"{name}.eml").read_bytes() for name in mail_table.NAMES]
PIECES = [
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: text/html; charset=utf-7\r\n",
    b"Content-Type: message/rfc822\r\n", b"Content-Type: application/ms-tnef\r\n", b"--b\r\n", b"--b--\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n", b"\r\n",
    b"Content-Type: text/calendar\r\n", b"BEGIN:VCALENDAR\r\n", b"BEGIN:VEVENT\r\n", b"DTSTART:2026\r\n",
    b"END:VEVENT\r\n", b"END:VCALENDAR\r\n", b"From: a@b\r\n",
    b"Subject: =?utf-8?B?w5w?=\r\n", b"> x\r\n",
    b"On Mon, a@b.c 2026 10:00 wrote:\r\n", b"-- \r\n", b"Action: failed\r\n", b"\x78\x9f\x3e\x22\x00\x01",
    b"Content-Type: message/delivery-status\r\n", b"Return-Path: <>\r\n",
    b"<div class=gmail_quote><a href=x>",
    b"Content-Disposition: attachment; filename*=x''%ff\r\n",
    b"Date: Mon, 99 Foo 99999 99:99 +9999\r\n",
]  # fmt: skip


def read(data: bytes) -> ReadMail:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mail.eml"
        path.write_bytes(data)
        mail = read_mail(path, Path(folder), Limits())
    jobs.frame(jobs.WasRead(mail))
    return mail


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sample mail with octets replaced, taken out and put in."""
    data = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 60)))
        data[start:end] = draw(st.binary(max_size=20) | st.sampled_from(PIECES))
    return bytes(data)


@given(st.binary(max_size=2000) | st.lists(st.sampled_from(PIECES) | st.binary(max_size=30)).map(b"".join))
@settings(max_examples=300)
def test_any_octets_are_read(data: bytes) -> None:
    assert read(data).id


@given(damaged())
@settings(max_examples=300)
def test_damaged_mails_are_read(data: bytes) -> None:
    assert read(data).id


@given(st.binary(max_size=3000))
def test_any_octets_have_a_cheap_header(data: bytes) -> None:
    original = SavedFile("/x", "mail.eml", "message/rfc822", 1)
    assert unread(data, "digest", "why", original).problem == "why"


@given(
    st.binary(max_size=300),
    st.text(max_size=20) | st.sampled_from(["utf-7", "idna", "hex", "iso2022_jp", "utf-16"]),
)
def test_any_octets_are_text_in_any_charset(data: bytes, charset: str) -> None:
    text = charsets.decode(data, charset)

    text.encode()
    assert "\x00" not in text


@given(st.text(max_size=400))
def test_any_text_goes_through_each_step(text: str) -> None:
    html_text.read(text)
    flowed.unflow(text)
    new_text.find(text)
    words.decode_words(text)
    raw = text.encode("utf-8", "surrogatepass")
    people.parse(raw, 5)
    parameters.parse(raw)


@given(st.text(max_size=400))
def test_file_names_are_safe(name: str) -> None:
    safe = file_names.safe(name, "image/png")

    assert safe == Path(safe).name
    assert safe not in ("", ".", "..")
    assert len(safe.encode()) <= file_names.LONGEST + 12
    assert not set(safe) & set('\\/:*?"<>|\r\n\x00\u202e')


HEADER = b"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: x\r\nMessage-ID: <1@x>\r\n"


def many_addresses(count: int) -> bytes:
    return b",\r\n ".join(b"Person %d <p%d@example.com>" % (number, number) for number in range(count))


def nested(count: int) -> bytes:
    """Multiparts in multiparts."""
    start = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (each, each)
        for each in range(count)
    )
    return HEADER + start + b"Content-Type: text/plain\r\n\r\nat the bottom\r\n"


def html(body: bytes) -> bytes:
    return HEADER + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body


HOSTILE = {
    "on_on_on_wrote": HEADER + b"\r\nhi\r\n\r\n" + b"On " * 5000 + b"wrote\r\n",
    "on_lines_wrote": HEADER + b"\r\nhi\r\n\r\n" + b"On Monday\r\n" * 5000 + b"wrote:\r\n",
    "from_lines": HEADER + b"\r\nhi\r\n\r\n" + b"From: x\r\n" * 20000,
    "from_subject_lines": HEADER + b"\r\nhi\r\n\r\n" + b"From: x\r\nTo: y\r\n" * 20000,
    "quotes": HEADER + b"\r\n" + b"> > > >\r\n" * 100_000 + b"hi\r\n",
    "very_long_quote_mark": HEADER + b"\r\n" + b">" * 1_000_000,
    "one_line": HEADER + b"\r\n" + b"x" * 3_000_000,
    "empty_lines": HEADER + b"\r\n" + b"\r\n" * 1_000_000 + b"end",
    "bad_start_lines": HEADER + b"\r\n" + b"*" * 500_000 + b"_" * 500_000,
    "nested_1000": nested(1000),
    "parts_20000": HEADER + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" * 20_000 + b"--b--\r\n",
    "headers_100000": HEADER + b"X-Header: value\r\n" * 100_000 + b"\r\nhi",
    "long_header": HEADER + b"X-Long: " + b"a " * 2_000_000 + b"\r\n\r\nhi",
    "words_in_subject": b"From: a@b.c\r\nSubject: " + b"=?utf-8?q?a?= " * 100_000 + b"\r\n\r\nhi",
    "broken_words": b"From: a@b.c\r\nSubject: " + b"=?=?" * 200_000 + b"\r\n\r\nhi",
    "semicolons": HEADER + b"Content-Type: text/plain" + b"; a=b" * 200_000 + b"\r\n\r\nhi",
    "boundaries": HEADER + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 200_000,
    "comments": b"From: " + b"(" * 300_000 + b"\r\n\r\nhi",
    "references": HEADER + b"References: " + b"<a@b> " * 100_000 + b"\r\n\r\nhi",
    "html_open_tags": html(b"<div>" * 100_000 + b"hi"),
    "html_nested_styles": html(b"<b><i>" * 60_000 + b"hi"),
    "html_quotes": html(b"<blockquote>" * 40_000 + b"hi"),
    "html_less_than": html(b"<" * 500_000),
    "html_comments": html(b"<!--" * 100_000),
    "html_declarations": html(b"<![" * 100_000),
    "html_open_starts": html(b"<a " * 150_000),
    "html_open_ends": html(b"</a " * 150_000),
    "html_open_values": html(b'<a x="' * 80_000),
    "html_references": html(b"&#" * 200_000 + b"&" * 100_000),
    "html_numbers": html(b"&#" + b"9" * 400_000 + b";"),
    "html_instructions": html(b"<?" * 200_000),
    "html_attributes": html(b"<a " + b"x=y " * 100_000 + b">hi</a>"),
    "html_end_tags": html(b"<i>" * 50_000 + b"</b>" * 80_000),
    "html_entities": html(b"&lt;" * 100_000),
    "html_lists": html(b"<ul><li>" * 50_000 + b"x"),
    "html_cells": html(b"<table><tr>" + b"<td>x</td>" * 50_000),
    "html_script_open": html(b"<script>" * 60_000),
    "html_links": html(b"<a href='https://x.example/'>" * 20_000),
    "calendar": HEADER + b"Content-Type: text/calendar\r\n\r\n" + b"BEGIN:VCALENDAR\r\n" * 20_000,
    "calendar_events": HEADER + b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n"
    + b"BEGIN:VEVENT\r\nSUMMARY:x\r\nEND:VEVENT\r\n" * 5_000 + b"END:VCALENDAR\r\n",
    "flowed": HEADER + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"word \r\n" * 200_000,
    "pgp": HEADER + b"\r\n" + b"-----BEGIN PGP SIGNED MESSAGE-----\r\n" * 20_000,
    "uuencoded": HEADER + b"Content-Transfer-Encoding: x-uuencode\r\n\r\n" + b"M" * 2_000_000,
    "punycode": HEADER + b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-b" * 200_000,
    "utf_7": HEADER + b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+A-" * 200_000,
    "bounce": b"From: mailer-daemon@x.example\r\nSubject: failure notice\r\n\r\n" + b"550 <a@b.c> " * 50_000,
    "bounce_at_signs": b"From: mailer-daemon@x.example\r\nSubject: failure notice\r\n\r\n" + b"a@" * 100_000,
    "signature": HEADER + b"\r\n" + b"-- \r\n" * 100_000,
    "sent_from": HEADER + b"\r\n" + b"Sent from my iPhone\r\n" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mails_are_read_in_time(name: str) -> None:
    before = time.process_time()

    mail = read(HOSTILE[name])

    assert mail.sender is not None or name == "comments"
    assert len(mail.text) <= Limits().text
    assert time.process_time() - before < 10


def test_thousands_of_recipients_are_bounded() -> None:
    mail = read(b"From: a@b.c\r\nTo: " + many_addresses(5000) + b"\r\nCc: d@e.f\r\n\r\nhi")

    assert len(mail.to) == 500
    assert mail.to[499].address == "p499@example.com"
    assert mail.notes == ("4500 more people are in To, and not listed.",)


def test_deep_nesting_is_said() -> None:
    assert read(nested(1000)).notes == (
        "Some of this mail is not shown: it has too many parts, or they are nested too deeply.",
    )
    assert read(nested(10)).text == "at the bottom"


def test_attachment_too_big_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    body = b"QUJD" * 1_000_000
    path.write_bytes(
        HEADER + b"Content-Type: video/mp4; name=film.mp4\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body
    )

    mail = read_mail(path, tmp_path, Limits(attachment=1_000_000))

    assert mail.attachments == ()
    assert mail.notes == (
        "The attachment film.mp4 is not shown: it has 3.0 MB, and more than 1.0 MB are not allowed here.",
    )
    assert [each.name for each in tmp_path.iterdir()] == ["mail.eml"]


def test_long_text_goes_on_in_the_original(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(HEADER + b"\r\n" + b"word " * 50_000)

    mail = read_mail(path, tmp_path, Limits())

    assert mail.cut
    assert mail.text.endswith("word …")
    assert len(mail.text) <= 10_000
    assert mail.original is not None
    assert mail.original.size > 240_000
