"""Saves what a mail has in it as files of a folder: decoded in pieces, with limits. Says in notes what it did
not save."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from backends.email.reading import file_names, header, transfer
from backends.email.reading.structure import Part
from backends.email.reading.words import decode_words
from backends.email.values import Limits, SavedFile

_NESTED_HEADER = 64 * 1024


class Saver:
    """Saves files. `saved` are the files, `notes` the lines on those that are not among them."""

    def __init__(self, file: BinaryIO, folder: Path, limits: Limits) -> None:
        self._file, self._folder, self._limits = file, folder, limits
        self.saved: list[SavedFile] = []
        self.notes: list[str] = []
        self._left_out = self._made = 0

    def part(self, part: Part) -> SavedFile | None:
        """Save a part's body. None if it is left out, which a note says."""
        name = part_name(self._file, part)
        saved = self.data(transfer.decoded(self._file, part), name, part.media_type)
        if saved is not None and saved.size == 0 and part.media_type != "message/rfc822":
            self.notes.append(f"The attachment {saved.name} is empty.")
        return saved

    def data(self, pieces: Iterable[bytes], name: str, media_type: str) -> SavedFile | None:
        """Save octets under a name that a stranger chose."""
        if len(self.saved) >= self._limits.attachments:
            self._left_out += 1
            return None
        saved = self.unlisted(pieces, file_names.safe(name, media_type), media_type)
        if saved is not None:
            self.saved.append(saved)
        return saved

    def unlisted(self, pieces: Iterable[bytes], name: str, media_type: str) -> SavedFile | None:
        """Save octets, without a place in `saved`."""
        self._made += 1
        path = self._folder / f"{self._made:03}"
        size = _write(path, pieces, self._limits.attachment)
        if size > self._limits.attachment:
            path.unlink()
            self.notes.append(
                f"The attachment {name} is not shown: it has {readable_size(size)}, and more than "
                f"{readable_size(self._limits.attachment)} are not allowed here."
            )
            return None
        return SavedFile(str(path), name, media_type, size)

    def finish(self) -> None:
        """Add the note on files that were too many."""
        if self._left_out:
            count = self._limits.attachments + self._left_out
            self.notes.append(f"Of {count} attachments only the first {self._limits.attachments} are shown.")


def _write(path: Path, pieces: Iterable[bytes], most: int) -> int:
    """Write pieces, and return how long all of them are; beyond `most` they are only counted."""
    size = 0
    with path.open("wb") as target:
        for piece in pieces:
            size += len(piece)
            if size <= most:
                target.write(piece)
    return size


def readable_size(octets: int) -> str:
    """A size for people: `3.4 MB`."""
    if octets < 1000 * 1000:
        return f"{max(1, round(octets / 1000))} kB"
    return f"{octets / 1000_000:.1f} MB"


def part_name(file: BinaryIO, part: Part) -> str:
    """What the mail calls a part; for a mail in a mail, its subject; for the rest, what it is."""
    _, parameters = part.disposition
    name = (
        parameters.get("filename") or part.parameters.get("name", "") or part.parameters.get("filename", "")
    )
    if part.media_type in ("message/rfc822", "message/global"):
        return _nested_name(file, part, name)
    if name:
        return decode_words(name)
    family = part.media_type.partition("/")[0]
    if part.media_type in ("text/calendar", "application/ics"):
        return "invite.ics"
    return {"image": "image", "text": "text", "audio": "audio", "video": "video"}.get(family, "attachment")


def _nested_name(file: BinaryIO, part: Part, name: str) -> str:
    if not name:
        data, _ = transfer.head(file, part, _NESTED_HEADER)
        lines = data.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0].splitlines()
        name = header.parse(lines).text("subject")[:80] or "mail"
    name = name.replace("/", "_").replace("\\", "_")
    return name if name.lower().endswith(".eml") else f"{name}.eml"
