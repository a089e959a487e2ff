"""Knows the mailbox for copies of sent mail: which it is, how a copy gets in, and whether one is there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from backends.email.imap import mailbox, syntax, utf7
from backends.email.imap.link import Link, Part
from backends.email.imap.trouble import ServerSaidNo
from backends.email.imap.wire import Wire

_PIECE = 64 * 1024

# By how likely each is, if there are several; lower case.
_WELL_KNOWN = (
    "sent", "sent items", "sent messages", "sent mail", "sent-mail", "outbox.sent",
    "gesendet", "gesendete elemente", "gesendete objekte", "gesendete nachrichten", "postausgang",
    "envoyés", "éléments envoyés", "messages envoyés", "courrier envoyé", "envoyes", "objets envoyés",
    "enviados", "elementos enviados", "mensajes enviados", "correo enviado", "itens enviados",
    "inviati", "posta inviata", "elementi inviati", "messaggi inviati", "inviata",
    "verzonden", "verzonden items", "verzonden berichten", "skickat", "skickade", "skickade objekt",
    "sendt", "sendte elementer", "sendt post", "lähetetyt", "lähetetyt viestit",
    "wysłane", "elementy wysłane", "odeslaná pošta", "odeslané", "odoslané", "elküldött", "trimise",
    "gönderilmiş öğeler", "gönderilenler", "отправленные", "надіслані", "изпратени", "απεσταλμένα",
    "已发送", "已发送邮件", "已傳送", "寄件備份",
    "送信済み", "送信済みトレイ", "送信済みメール", "보낸편지함", "보낸 편지함",
)  # fmt: skip


class Listed(msgspec.Struct, frozen=True):
    """A mailbox that there is. `name` is as written on the wire, `shown` as people read it."""

    name: str
    shown: str
    delimiter: str
    attributes: frozenset[str]


async def find_sent(link: Link) -> str | None:
    """The mailbox for sent mail, as written on the wire: the one that is marked (RFC 6154), else one with a
    well-known name; None: there is none."""
    if "SPECIAL-USE" in link.capabilities:
        marked = _marked(await _listed(link, "(SPECIAL-USE)", '""', '"*"'))
        if marked is not None:
            return marked
    listed = await _listed(link, '""', '"*"')
    return _marked(listed) or _by_name(listed)


async def make_sent(link: Link) -> str:
    """Make a mailbox for sent mail: beside the inbox, or where that is not allowed below it. Raises
    `ServerSaidNo`."""
    try:
        return await _create(link, "Sent")
    except ServerSaidNo:
        roots = await _listed(link, '""', '"INBOX"')
        delimiter = next((each.delimiter for each in roots if each.delimiter), ".")
        return await _create(link, f"INBOX{delimiter}Sent")


async def append(link: Link, name: str, path: Path, date: datetime) -> None:
    """Put a mail (as it is sent: RFC 5322, CRLF) into a mailbox, marked as read. Raises `ServerSaidNo`."""
    size = (await asyncio.to_thread(path.stat)).st_size
    day = date.strftime("%d-") + syntax.MONTHS[date.month - 1] + date.strftime("-%Y %H:%M:%S %z")
    answer = await link.ask(
        "APPEND",
        _argument(name),
        "(\\Seen)",
        f'"{day}"',
        f"{{{size}}}",
        parts=[_file(path, size, link.limit)],
    )
    link.expect_ok("APPEND", answer.status)


async def has(link: Link, name: str, message_id: str) -> bool:
    """Whether a mail is in a mailbox, which is selected (read only) for that."""
    link.wire.exists = 0
    await link.ask_for("EXAMINE", _argument(name))
    return bool(await mailbox.find_id(link, message_id))


def _file(path: Path, size: int, limit: float) -> Part:
    """A part that is a file, read as fast as it is sent."""

    async def send(wire: Wire) -> None:
        left = size
        with await asyncio.to_thread(path.open, "rb") as file:
            while left:
                data = (await asyncio.to_thread(file.read, _PIECE))[:left]
                if not data:
                    raise OSError(f"{path.name} has become shorter")
                left -= len(data)
                wire.write(data)
                async with asyncio.timeout(limit):
                    await wire.drained()
        wire.write(b"\r\n")

    return send


async def _listed(link: Link, *arguments: str) -> list[Listed]:
    found: list[Listed] = []
    for response in await link.ask_for("LIST", *arguments):
        values = syntax.values(response)
        if len(values) == 4 and values[0] == b"LIST" and isinstance(values[1], list):
            listed = _one(values[1], values[2], values[3])
            if listed is not None:
                found.append(listed)
    return found


def _one(attributes: Sequence[syntax.Value], delimiter: syntax.Value, name: syntax.Value) -> Listed | None:
    try:
        written = name.decode("ascii") if isinstance(name, bytes) else ""
    except UnicodeDecodeError:
        return None
    said = frozenset(syntax.words(each).lower() for each in attributes if isinstance(each, bytes))
    if syntax.quoted(written) is None or said & {"\\noselect", "\\nonexistent"}:
        return None
    return Listed(
        written, utf7.decode(written), syntax.words(delimiter) if isinstance(delimiter, bytes) else "", said
    )


def _marked(listed: Iterable[Listed]) -> str | None:
    return next((each.name for each in listed if "\\sent" in each.attributes), None)


def _by_name(listed: Iterable[Listed]) -> str | None:
    ranked = {
        _last(each).casefold(): each.name
        for each in sorted(listed, key=lambda each: len(each.shown), reverse=True)
    }
    return next((ranked[name] for name in _WELL_KNOWN if name in ranked), None)


def _last(listed: Listed) -> str:
    return re.split(re.escape(listed.delimiter), listed.shown)[-1] if listed.delimiter else listed.shown


async def _create(link: Link, name: str) -> str:
    await link.ask_for("CREATE", _argument(name))
    await link.ask("SUBSCRIBE", _argument(name))
    return name


def _argument(written: str) -> str:
    argument = syntax.quoted(written)
    assert argument is not None  # only such names are taken from the server
    return argument
