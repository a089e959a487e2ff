"""Reads reports that are written for people only, as qmail, Exim, old Postfix and Exchange, and some
providers send them. Pure.

A mail is taken for one only if the envelope or its author says that a mail server sent it, and its text says
one of the things that they say."""

from __future__ import annotations

import re

from backends.email.reading import people, reports, status_words, threading
from backends.email.reading.automatic import has_no_return_path
from backends.email.reading.header import Header
from backends.email.reading.words import one_line
from backends.email.values import Report, Verdict

LONGEST = 64 * 1024

_SERVERS = re.compile(
    r"(?:mailer-daemon|mail-daemon|postmaster|mail-delivery|mdaemon|bounces?)[^@]{0,60}@", re.IGNORECASE
)
_FAILED = re.compile(
    r"could not be delivered|couldn't be delivered|wasn't delivered|was not delivered|cannot be delivered"
    r"|wasn't able to deliver|unable to deliver|undeliverable|undelivered|delivery (?:has )?failed"
    r"|delivery to the following recipients? (?:has )?failed|permanent (?:fatal )?error|failure notice"
    r"|address not found|user unknown|mailbox (?:is )?full|did not reach|returned mail"
    r"|delivery status notification"
    r"|nicht zugestellt|unzustellbar|n'a pas pu être (?:remis|délivré|distribué)|non remis"
    r"|no se pudo entregar"
    r"|no se ha podido entregar|non è stato possibile consegnare|mancato recapito|не (?:было )?доставлен"
    r"|配信できませんでした|giving up on it|message blocked",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"has not (?:yet )?been delivered|not yet been delivered|delivery (?:is )?delayed"
    r"|will (?:be retried|keep trying)"
    r"|still being attempted|warning: (?:could not send|message)|delivery incomplete|temporary problem"
    r"|do not need to resend|verzögert|retardée|en retard",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"<?([^\s<>@:;,()\[\]\"']{1,100}@[^\s<>@:;,()\[\]\"']{1,200}\.[^\s<>@:;,()\[\]\"'.]{2,30})>?"
)
_COPY = re.compile(
    r"^.{0,20}(?:below this line is a copy|this is a copy of the message|original message"
    r"|message header follows"
    r"|unsent message below|the header of the original|returned message|-+ message header).{0,80}$",
    re.IGNORECASE | re.MULTILINE,
)
_STYLING = re.compile(r"(?<![\w*_])[*_](?=\S)|(?<=\S)[*_](?![\w*_])")
_SAYS_WHY = re.compile(
    r"\b[45]\d\d[ -]|(?<![\d.])[45]\.\d{1,3}\.\d{1,3}|user unknown|mailbox|no such|unknown|timed out|full"
)


def read(header: Header, sender: str, text: str) -> Report | None:
    """The report that the text of a mail is, or None if it is none."""
    by_server = bool(_SERVERS.match(sender)) or header.has("x-failed-recipients")
    if not by_server and not (
        has_no_return_path(header) and header.word("auto-submitted") != "auto-generated"
    ):
        return None
    text = text[:LONGEST]
    copy = _COPY.search(text)
    told = text[: copy.start()] if copy and copy.start() > 20 else text
    said = f"{header.text('subject')}\n{told[:4000]}"
    delayed, failed = _DELAYED.search(said), _FAILED.search(said)
    if not (delayed or failed) or (not by_server and not _SAYS_WHY.search(told)):
        return None
    verdict = Verdict.DELAYED if delayed else Verdict.FAILED
    why = _STYLING.sub("", _reason(told))
    status = status_words.find(why) or status_words.find(told)
    message_id = reports.returned_id(text.encode("utf-8")) or threading.in_reply_to(header)
    return Report(
        verdict, message_id, _recipient(header, told, sender), reports.reason(verdict, status, why), status
    )


def _recipient(header: Header, told: str, sender: str) -> str:
    named, _ = people.parse(header.raw("x-failed-recipients"), 1)
    if named:
        return named[0].address
    for found in _ADDRESS.finditer(told):
        address = found[1].lower().rstrip(".")
        if address != sender and not _SERVERS.match(address):
            return address
    return ""


def _reason(told: str) -> str:
    """The lines that say why: from the first with a code or the like, to the end of its paragraph."""
    paragraphs = [each for each in re.split(r"\n[ \t]*\n", told) if each.strip()]
    for wanted in (re.compile(r"\b[45]\d\d[ -]|(?<![\d.])[45]\.\d{1,3}\.\d{1,3}"), _SAYS_WHY):
        for paragraph in paragraphs:
            lines = paragraph.split("\n")
            for index, line in enumerate(lines):
                if wanted.search(line):
                    return one_line(" ".join(lines[index:]))[: reports.LONGEST_REASON]
    return one_line(paragraphs[0])[: reports.LONGEST_REASON] if paragraphs else ""
