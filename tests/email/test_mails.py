"""Realistic mails, written for this project, are read as a person would want them in a chat."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.email.reading.mail import read_mail
from backends.email.values import Limits
from tests.email import mail_table


@pytest.mark.parametrize("name", mail_table.NAMES)
def test_mail_is_read_as_written_beside_it(name: str, tmp_path: Path) -> None:
    mail = read_mail(mail_table.FOLDER / f"{name}.eml", tmp_path, Limits())

    assert mail_table.summary(mail) == mail_table.expected(name)


@pytest.mark.parametrize("name", mail_table.NAMES)
def test_what_was_cut_is_in_the_original(name: str, tmp_path: Path) -> None:
    mail = read_mail(mail_table.FOLDER / f"{name}.eml", tmp_path, Limits())

    assert mail.cut == (mail.original is not None)
    if mail.original is not None:
        whole = Path(mail.original.path).read_text()
        assert len(whole.encode()) == mail.original.size
        assert f"Subject: {mail.subject}" in whole or "<th align='left'>Subject</th>" in whole


def test_there_are_many_of_them() -> None:
    assert len(mail_table.NAMES) >= 100


def test_html_original_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(
        b"From: ann@example.org\r\nSubject: <script>x</script>\r\nContent-Type: text/html\r\n\r\n"
        b'<p onclick="x()">Hi<script>alert(1)</script><img src="https://track.example.com/1.gif">'
        b'<img src="data:image/png;base64,AAAA"><a href="javascript:x()">a</a><iframe src="//x"></iframe>'
        b'<style>@import "https://x.example.com/";</style></p><div class="gmail_signature">Ann</div>'
    )

    mail = read_mail(path, tmp_path, Limits())

    assert mail.text == "Hia"
    assert mail.original is not None
    whole = Path(mail.original.path).read_text()
    assert "Ann" in whole
    for bad in ("<script", "onclick", "javascript:", "src=", "iframe", "@import", "track.example.com"):
        assert bad not in whole
