"""Reads a mail: from a file with its octets to what a chat shows, and files in a folder."""

from __future__ import annotations

import hashlib
from io import BufferedReader
from pathlib import Path

from backends.email.reading import (
    automatic,
    bodies,
    bounces,
    chat_text,
    file_names,
    header_blocks,
    marks,
    new_text,
    originals,
    people,
    reports,
    selection,
    structure,
    threading,
)
from backends.email.reading.bodies import Body
from backends.email.reading.files import Files
from backends.email.reading.saving import Saver
from backends.email.values import Limits, Person, ReadMail, Report, SavedFile

_PARTS_NOTE = "Some of this mail is not shown: it has too many parts, or they are nested too deeply."
_LONGEST_SUBJECT = 500


def read_mail(path: Path, folder: Path, limits: Limits) -> ReadMail:
    """The mail in the file `path`; its attachments, and the whole text if some of it is cut, are saved in
    `folder`, which must exist.

    Raises OSError where files can't be read or written. Broken mails are read as far as they make sense."""
    with path.open("rb") as file:
        return _Reading(file, folder, limits).result()


class _Reading:
    """The work on one mail."""

    def __init__(self, file: BufferedReader, folder: Path, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._root, self._parts_cut = structure.scan(file, limits)
        self._header = self._root.header
        self._saver = Saver(file, folder, limits)
        self._notes: list[str] = []
        self._chat = self._header.has("chat-version")

    def result(self) -> ReadMail:
        header = self._header
        subject = header.text("subject")[:_LONGEST_SUBJECT]
        senders = self._people("from") or self._people("sender")
        sender = next(iter(senders), None)
        chosen = selection.select(self._root)
        files = Files(self._file, self._saver, chosen)
        body = bodies.read(self._file, chosen.texts)
        files.unpack(body)
        forward = self._is_forward(subject)
        text, cut, quoted = self._text(body, forward, files.invitation())
        files.save(forward=forward)
        self._saver.finish()
        found = self._reports(body, sender)
        to, cc = self._people("to"), self._people("cc")
        return ReadMail(
            id=threading.message_id(header) or self._digest(),
            sender=sender,
            reply_to=self._people("reply-to"),
            to=to,
            cc=cc,
            date=threading.date(header),
            subject=subject,
            in_reply_to=threading.in_reply_to(header),
            references=threading.references(header),
            text=text,
            cut=cut,
            original=self._original(body, subject) if cut else None,
            attachments=tuple(self._saver.saved),
            notes=tuple(self._all_notes(chosen.notes + body.notes)),
            automatic=bool(found) or automatic.is_automatic(header, sender.address if sender else ""),
            list_id=automatic.list_id(header),
            report=found[0] if found else None,
            problem="" if self._root.end else "it is empty",
            more_reports=tuple(found[1:]),
            chat=self._chat,
            quoted=quoted,
            reaction=any(each.plain and each.plain.disposition[0] == "reaction" for each in chosen.texts),
        )

    def _is_forward(self, subject: str) -> bool:
        """Whether a block of header lines in the text begins something that the author wants read: where the
        subject says so, and in a mail that is no answer at all."""
        answer = bool(threading.in_reply_to(self._header)) or header_blocks.is_answer_subject(subject)
        return header_blocks.is_forward_subject(subject) or not answer

    def _reports(self, body: Body, sender: Person | None) -> list[Report]:
        found = reports.read(self._file, self._root)
        if found:
            return list(found)
        address = sender.address if sender else ""
        bounce = bounces.read(self._header, address, marks.without(body.text) + self._returned(body))
        return [bounce] if bounce else []

    def _people(self, name: str) -> tuple[Person, ...]:
        raw = b", ".join(self._header.every(name)[:20])
        found, left_out = people.parse(raw, self._limits.people)
        if left_out:
            self._notes.append(f"{left_out} more people are in {name.capitalize()}, and not listed.")
        return found

    def _text(self, body: Body, forward: bool, invitation: str) -> tuple[str, bool, str]:
        """The text for the chat, whether something is missing from it, and what it quotes (chat programs
        only)."""
        quoted = ""
        if self._chat:
            (text, quoted), cut = chat_text.find(body.text), False
        else:
            text, cut = new_text.find(body.text, forward=forward, flowed=body.flowed)
        text = marks.without(text).strip("\n").rstrip()
        text = "\n\n".join(each for each in (text, invitation) if each)
        cut = cut or body.signed or self._parts_cut or not body.complete
        if len(text) > self._limits.text:
            text, cut = _shortened(text, self._limits.text), True
        return text, cut, quoted

    def _original(self, body: Body, subject: str) -> SavedFile | None:
        name = file_names.safe(f"{subject[:60] or 'mail'}", otherwise="mail").rstrip(".")
        if body.html:
            page = originals.as_html(self._header, body.html)
            return self._saver.unlisted([page], f"{name}.html", "text/html")
        whole = originals.as_text(self._header, marks.without(body.text))
        return self._saver.unlisted([whole], f"{name}.txt", "text/plain")

    def _returned(self, body: Body) -> str:
        """The header of a mail that comes back as a part of a report for people."""
        nested = [part for part in self._root.walk() if part.media_type == "message/rfc822"]
        if not nested:
            return ""
        self._file.seek(nested[0].start)
        return "\n\n" + self._file.read(min(64 * 1024, nested[0].end - nested[0].start)).decode("latin-1")

    def _all_notes(self, more: list[str]) -> list[str]:
        notes = [*self._notes, *more, *self._saver.notes]
        if self._parts_cut:
            notes.append(_PARTS_NOTE)
        return list(dict.fromkeys(notes))

    def _digest(self) -> str:
        """An id for a mail that has none: the same for the same octets."""
        self._file.seek(0)
        return f"{hashlib.file_digest(self._file, 'sha256').hexdigest()[:40]}@digest.invalid"


def _shortened(text: str, most: int) -> str:
    cut = text[: most - 2]
    end = max(cut.rfind("\n"), cut.rfind(" "))
    return f"{cut[: end if end > most // 2 else most].rstrip()} …"
