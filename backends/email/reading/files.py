"""Decides which files of a mail are shown, and saves them: attachments, images that were sent, invitations,
and what is in a winmail.dat."""

from __future__ import annotations

from typing import BinaryIO

from backends.email.reading import bodies, file_names, invitations, marks, new_text, pictures, tnef, transfer
from backends.email.reading.bodies import Body
from backends.email.reading.saving import Saver
from backends.email.reading.selection import Selection
from backends.email.reading.structure import Part


class Files:
    """The work on one mail's files; `file` is the mail, `body` the text that was chosen."""

    def __init__(self, file: BinaryIO, saver: Saver, selection: Selection) -> None:
        self._file, self._saver, self._selection = file, saver, selection

    def unpack(self, body: Body) -> None:
        """Save the files of each winmail.dat. Its text is the mail's where there is no other."""
        for part in self._selection.winmail:
            data, complete = transfer.head(self._file, part, tnef.LONGEST)
            found = tnef.unpack(data) if complete else None
            if found is None:
                self._saver.part(part)
                continue
            for name, octets in found.files:
                self._saver.data([octets], name, file_names.media_type(name))
            if not body.text.strip():
                body.add(bodies.of_html(found.html) if found.html else Body(found.text))

    def invitation(self) -> str:
        """The first readable invitation in words. One file of each kind of place is saved for calendars: the
        same invitation often comes as a part of the text and as an attachment."""
        calendars = self._selection.calendars
        text = ""
        for part in calendars:
            data, _ = transfer.head(self._file, part, invitations.LONGEST)
            text = text or "\n".join(invitations.lines(data))
        attached = [part for part in calendars if part.disposition[0] == "attachment"]
        for part in attached or calendars[:1]:
            self._saver.part(part)
        return text

    def save(self, *, forward: bool) -> None:
        """Save attachments and the images worth showing; `forward` as in `new_text.find`."""
        parts = [*self._selection.files, *self._selection.inline]
        places = self._places(forward) if any(part.content_id for part in parts) else {}
        for part in sorted(parts, key=lambda part: part.start):
            if self._is_shown(part, places):
                self._saver.part(part)

    def _is_shown(self, part: Part, places: dict[str, bool]) -> bool:
        if not part.media_type.startswith("image/"):
            return True
        shown = places.get(part.content_id)
        if shown is None and part.disposition[0] == "attachment":
            return True
        return pictures.is_worth_showing(self._file, part, shown=shown)

    def _places(self, forward: bool) -> dict[str, bool]:
        """Content-ID -> whether the new text refers to it, for all that the HTML refers to."""
        places: dict[str, bool] = {}
        for text in self._selection.texts:
            if text.html is None:
                continue
            source = bodies.html_source(self._file, text.html)
            body = bodies.of_html(source)
            kept, _ = new_text.find(body.text, forward=forward)
            numbers = marks.images(kept)
            places |= {name: number in numbers for number, name in enumerate(body.images)}
            for part in self._selection.inline:
                if part.content_id and part.content_id not in places and f"cid:{part.content_id}" in source:
                    places[part.content_id] = False
        return places
