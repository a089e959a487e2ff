"""What a chat program's mail says: what was typed, and what it quotes."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.email.reading import chat_text
from backends.email.reading.mail import read_mail
from backends.email.values import Limits


@pytest.mark.parametrize(
    ("text", "typed", "quoted"),
    [
        ("Hello", "Hello", ""),
        ("Hello\n\n-- \nSent with a chat program", "Hello", ""),
        ("> Tea?\n> Or not?\n\nYes", "Yes", "Tea?\nOr not?"),
        (">Tea?\nYes", "Yes", "Tea?"),
        ("> Tea?\n\nYes\n> more\n\n-- \nstatus", "Yes\n> more", "Tea?"),
        ("Yes\n\n> at the end", "Yes\n\n> at the end", ""),
        ("> only a quote", "> only a quote", ""),
        ("> only a quote\n\n-- \nstatus", "> only a quote", ""),
        ("\u200b-- \nnot a signature", "--\nnot a signature", ""),
        ("--\nnot one, either", "--\nnot one, either", ""),
        ("On Monday, Rose wrote:\n> Tea?", "On Monday, Rose wrote:\n> Tea?", ""),
        ("", "", ""),
        ("-- \nstatus", "", ""),
    ],
)
def test_what_was_typed(text: str, typed: str, quoted: str) -> None:
    assert chat_text.find(text) == (typed, quoted)


def test_a_chat_mail_has_nothing_cut(tmp_path: Path) -> None:
    file = tmp_path / "mail"
    head = b"From: rose@example.org\r\nMessage-ID: <1@x>\r\nChat-Version: 1.0\r\n\r\n"
    file.write_bytes(head + b"> Tea?\r\n\r\nYes\r\n\r\n-- \r\nstatus\r\n")
    mail = read_mail(file, tmp_path, Limits())
    assert (mail.chat, mail.text, mail.quoted, mail.cut) == (True, "Yes", "Tea?", False)
    assert mail.original is None
    file.write_bytes(head + b"long " * 100)
    assert read_mail(file, tmp_path, Limits(text=100)).cut
