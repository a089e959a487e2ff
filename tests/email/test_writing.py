"""Drafts become mails that the standard library and our own reader read as they were meant."""

from __future__ import annotations

import email
import email.policy
import re
import tempfile
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.email.reading.mail import read_mail
from backends.email.values import Draft, Limits, Person, ReadMail, SavedFile
from backends.email.writing.compose import compose

DRAFT = Draft(
    message_id="one@example.org",
    date=datetime(2026, 11, 16, 10, 12, tzinfo=UTC),
    sender=Person("ann@example.org", "Ann Example"),
    to=(Person("bob@example.net"),),
    subject="Lunch",
    text="At one?",
)


def changed(**values: object) -> Draft:
    return msgspec.structs.replace(DRAFT, **values)


def written(draft: Draft, folder: Path) -> bytes:
    path = folder / "out.eml"
    mail = compose(draft, path)
    data = path.read_bytes()
    assert mail.size == len(data)
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", data) is None
    assert max(map(len, data.split(b"\r\n"))) <= 998
    return data


def parsed(draft: Draft, folder: Path) -> EmailMessage:
    message = email.message_from_bytes(written(draft, folder), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def read_back(draft: Draft) -> ReadMail:
    with tempfile.TemporaryDirectory() as folder:
        written(draft, Path(folder))
        return read_mail(Path(folder) / "out.eml", Path(folder), Limits(text=1_000_000))


def test_plain_mail_has_what_a_mail_has(tmp_path: Path) -> None:
    data = written(changed(in_reply_to="b@x", references=("a@x", "b@x")), tmp_path)

    assert data == (
        b"From: Ann Example <ann@example.org>\r\nTo: bob@example.net\r\n"
        b"Date: Mon, 16 Nov 2026 10:12:00 +0000\r\nMessage-ID: <one@example.org>\r\nSubject: Lunch\r\n"
        b"In-Reply-To: <b@x>\r\nReferences: <a@x>\r\n <b@x>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii; format=flowed\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n\r\nAt one?\r\n"
    )


@pytest.mark.parametrize(
    "text", ["*At one?*", "at _one_", "no ~sugar~", "run `ls`", "```\ncode\n```", "> *quoted*\nyes"]
)
def test_styled_text_has_html_beside_it(text: str, tmp_path: Path) -> None:
    message = parsed(changed(text=text), tmp_path)

    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize("text", ["plain", "2 * 3 * 4", "> quoted\nyes", "a_b_c", "", "**", "-- "])
def test_text_without_styling_has_no_html(text: str, tmp_path: Path) -> None:
    assert parsed(changed(text=text), tmp_path).get_content_type() == "text/plain"


def test_html_is_escaped(tmp_path: Path) -> None:
    message = parsed(changed(text="*<script>&*"), tmp_path)
    html = message.get_body(("html",))

    assert html is not None
    assert "<b>&lt;script&gt;&amp;</b>" in html.get_content()


def test_attachments_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 1000)
    names = ["a.bin", "Übersicht €.pdf", "ä" * 60 + ".txt", 'q"uo\\te.txt', "x\r\nBcc: e@x.txt"]
    files = tuple(SavedFile(str(file), name, "image/png", 256_000) for name in names)

    message = parsed(changed(attachments=files, text="*hi*"), tmp_path)

    parts = list(message.iter_attachments())
    assert [part.get_filename() for part in parts] == [*names[:4], "x Bcc: e@x.txt"]
    assert all(part.get_content() == file.read_bytes() for part in parts)
    assert message["Bcc"] is None


@pytest.mark.parametrize(
    "media_type", ["message/rfc822", "multipart/mixed", "x", "a/b\r\nBcc: e", "a/b; c=d"]
)
def test_odd_media_types_are_octets(media_type: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")

    message = parsed(changed(attachments=(SavedFile(str(file), "f", media_type, 1),)), tmp_path)

    assert [part.get_content_type() for part in message.iter_attachments()] == ["application/octet-stream"]


def test_address_beyond_ascii_needs_smtputf8(tmp_path: Path) -> None:
    mail = compose(changed(to=(Person("böb@bücher.example"),)), tmp_path / "a")
    assert mail.utf8
    assert "To: böb@xn--bcher-kva.example\r\n".encode() in Path(mail.path).read_bytes()
    assert not compose(changed(to=(Person("bob@bücher.example"),)), tmp_path / "b").utf8


@pytest.mark.parametrize(
    "address",
    ["", "bob", "@example.net", "bob@", "b ob@example.net", "bob@exam ple.net", "bob@example.net\r\nBcc: e@x",
     "bob@example.net,eve@example.net", "<bob@example.net>", "bob@x..y",
     "bob\x00@x.y", '"b\r\nx"@x.y', "b@x.y>",
     "bob@" + "a" * 300],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not an email address|label"):
        compose(changed(to=(Person(address),)), tmp_path / "a")
    with pytest.raises(ValueError, match=r"not an email address|label"):
        compose(changed(sender=Person(address)), tmp_path / "b")


@pytest.mark.parametrize("message_id", ["", "x", "a@b\r\nBcc: e@x", "<a@b>", "a b@c", "ä@b"])
def test_what_is_no_message_id_is_refused(message_id: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a Message-ID"):
        compose(changed(message_id=message_id), tmp_path / "a")


def test_nobody_to_write_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nobody"):
        compose(changed(to=()), tmp_path / "a")


def test_long_threads_keep_the_first_and_the_newest(tmp_path: Path) -> None:
    references = tuple(f"{number}@example.net" for number in range(500))

    mail = read_back(changed(references=references, in_reply_to=references[-1]))

    assert mail.references == (references[0], *references[-29:])


NO_LETTERS = ["Cs", "Co", "Cn", "Zl", "Zp", "Cc", "Cf", "Zs"]
ANY = st.text(max_size=200) | st.text('ab\r\n\x00\x0b\u2028 :<>"\\,;=?ä', max_size=60)
FIELDS = "from to date message-id subject mime-version content-type content-transfer-encoding".split()


@given(ANY, ANY, ANY, st.lists(ANY, max_size=4))
@settings(max_examples=300)
def test_no_header_can_be_brought_in(subject: str, name: str, text: str, references: list[str]) -> None:
    draft = changed(
        subject=subject, sender=Person("ann@example.org", name), to=(Person("bob@example.net", name),),
        text=text, references=tuple(references), in_reply_to=(references or [""])[-1],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        message = parsed(draft, Path(folder))

    names = [key.lower() for key in message if key.lower() not in ("references", "in-reply-to")]
    assert [key for key in names if key != "subject"] == [
        key for key in FIELDS if key in names and key != "subject"
    ]
    assert [each.addr_spec for each in message["to"].addresses] == ["bob@example.net"]
    assert [each.addr_spec for each in message["from"].addresses] == ["ann@example.org"]


def shown(text: str) -> str:
    """A header's text as we write it: one line, without controls."""
    return " ".join(re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


@given(st.text(st.characters(exclude_categories=NO_LETTERS), max_size=150))
def test_subjects_come_back(subject: str) -> None:
    assert read_back(changed(subject=subject)).subject == shown(subject)


LETTERS = st.characters(exclude_categories=NO_LETTERS, exclude_characters=":：-_=>*~`—")
WORDS = st.text(LETTERS, min_size=1, max_size=30)
LINES = st.lists(WORDS, max_size=25).map(" ".join)


@given(st.lists(LINES, max_size=12))
@settings(max_examples=200)
def test_text_comes_back(lines: list[str]) -> None:
    text = "\n".join(["Said today", *lines, "the end."])

    assert read_back(changed(text=text)).text == text


@pytest.mark.parametrize(
    "text",
    [
        "From here on", "a\n\nFrom here on\n b", " indented\n  more",
        "said\n--\nnot a signature", "x " * 300 + "-- " + "y " * 300 + "end", "long" * 500, "é" * 3000,
        "日本語" * 500, ".\n..\n.dot", "```\nif x:\n    y\n\n```\nafter", "> quote\n\nanswer",
        ">> deep\n> less\n\nyes",
        "=_ boundary", "tab\there", "a =\nb", "*bold* and _it_\n> q\nend", "x" * 71 + " -- y",
    ],
)  # fmt: skip
def test_these_texts_come_back(text: str) -> None:
    assert read_back(changed(text=text)).text == text.rstrip()


def test_white_space_at_the_ends_of_lines_goes() -> None:
    assert read_back(changed(text="said  \n-- \nnot a signature\t")).text == "said\n--\nnot a signature"


def test_control_characters_are_left_out() -> None:
    assert read_back(changed(text="a\x00b\x07c\r\nd\ud800")).text == "abc\nd"
