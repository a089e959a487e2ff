"""Reads the folder of sample mails: NAME.eml with NAME.toml, what is expected of it, beside it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from backends.email.values import ReadMail, Report

FOLDER = Path(__file__).parent / "mails"
NAMES = sorted(path.stem for path in FOLDER.glob("*.eml"))


def expected(name: str) -> dict[str, Any]:
    """What is expected of a sample mail; what is not in it is as in `summary` of an empty mail."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def summary(mail: ReadMail) -> dict[str, Any]:
    """What counts of a mail that was read, without what is empty or false."""
    values: dict[str, Any] = {
        "id": "" if mail.id.endswith("@digest.invalid") else mail.id,
        "from": [f"{each.name} <{each.address}>".strip() for each in (mail.sender,) if each],
        "to": [f"{each.name} <{each.address}>".strip() for each in mail.to],
        "cc": [f"{each.name} <{each.address}>".strip() for each in mail.cc],
        "reply_to": [f"{each.name} <{each.address}>".strip() for each in mail.reply_to],
        "date": mail.date.isoformat() if mail.date else "",
        "subject": mail.subject,
        "in_reply_to": mail.in_reply_to,
        "references": list(mail.references),
        "cut": mail.cut,
        "original": mail.original.name if mail.original else "",
        "attachments": [f"{each.name} ({each.media_type}, {each.size})" for each in mail.attachments],
        "notes": list(mail.notes),
        "automatic": mail.automatic,
        "list_id": mail.list_id,
        "chat": mail.chat,
        "problem": mail.problem,
        "reports": [_report(each) for each in (mail.report, *mail.more_reports) if each],
        "text": mail.text,
    }
    return {name: value for name, value in values.items() if value}


def _report(report: Report) -> dict[str, str]:
    return {
        "verdict": report.verdict.value,
        "message_id": report.message_id,
        "recipient": report.recipient,
        "text": report.text,
        "status": report.status,
    }
