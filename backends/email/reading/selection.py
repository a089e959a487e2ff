"""Decides what each part of a mail is for: text to read, a file to show, a report, or nothing. Pure.

Multipart/alternative has one text in several forms; multipart/related a text and what it needs; everything
else a row of texts and files (RFC 2046 §5.1, RFC 2387). Signatures of cryptography are not shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from backends.email.reading.structure import Part

_SIGNATURES = frozenset(
    "application/pgp-signature application/pkcs7-signature application/x-pkcs7-signature "
    "application/pgp-keys".split()
)
_READABLE = frozenset(("text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown"))
_CALENDARS = frozenset(("text/calendar", "application/ics"))
_REPORTS = frozenset(
    "message/delivery-status message/global-delivery-status text/rfc822-headers "
    "message/disposition-notification "
    "message/global-headers message/feedback-report".split()
)
_TNEF = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))
_PKCS7 = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
_DEEPEST = 100

PGP_NOTE = "This mail is encrypted (PGP). It can be read in a mail program that has your key."
SMIME_NOTE = "This mail is encrypted (S/MIME). It can be read in a mail program that has your certificate."
OPAQUE_NOTE = "This mail is signed (S/MIME) in a form that only mail programs read: it is the attached file."


@dataclass(slots=True)
class Text:
    """One text of the mail, in the forms that it has."""

    plain: Part | None = None
    html: Part | None = None


@dataclass(slots=True)
class Selection:
    """`files` are in the mail's order; those in `inline` belong to a text. `reports` are for
    machines."""

    texts: list[Text] = field(default_factory=list)
    files: list[Part] = field(default_factory=list)
    inline: list[Part] = field(default_factory=list)
    calendars: list[Part] = field(default_factory=list)
    winmail: list[Part] = field(default_factory=list)
    reports: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def join(self, other: Selection) -> None:
        """Add what is in another one."""
        for name in ("texts", "files", "inline", "calendars", "winmail", "reports", "notes"):
            getattr(self, name).extend(getattr(other, name))


def select(part: Part, depth: int = 0) -> Selection:
    """What the parts of a mail, or of a part, are for."""
    if part.children and depth < _DEEPEST:
        kind = part.media_type.partition("/")[2]
        if kind == "alternative":
            return _alternative(part, depth)
        if kind == "related":
            return _related(part, depth)
        if kind == "encrypted":
            return Selection(notes=[PGP_NOTE])
        if kind == "report":
            return _report(part, depth)
        return _mixed(part, depth)
    return _leaf(part)


def _mixed(part: Part, depth: int) -> Selection:
    result = Selection()
    for child in part.children:
        result.join(select(child, depth + 1))
    return result


def _alternative(part: Part, depth: int) -> Selection:
    """The first plain text and the last HTML are forms of one text; of other things, all are kept."""
    result, text = Selection(), Text()
    for child in part.children:
        found = select(child, depth + 1)
        plains = [each.plain for each in found.texts if each.plain is not None]
        htmls = [each.html for each in found.texts if each.html is not None]
        text.plain = text.plain or next(iter(plains), None)
        text.html = htmls[-1] if htmls else text.html
        found.texts = []
        found.files = [each for each in found.files if not each.media_type.startswith("text/x-")]
        result.join(found)
    if text.plain or text.html:
        result.texts.insert(0, text)
    return result


def _related(part: Part, depth: int) -> Selection:
    start = part.parameters.get("start", "").strip("<>")
    root = next((each for each in part.children if start and each.content_id == start), part.children[0])
    result = select(root, depth + 1)
    for child in part.children:
        if child is not root:
            found = select(child, depth + 1)
            if not result.texts:
                result.texts += found.texts
            found.inline += [each for each in found.files if each.disposition[0] != "attachment"]
            found.files = [each for each in found.files if each.disposition[0] == "attachment"]
            found.files += [form for each in found.texts for form in (each.plain, each.html) if form]
            found.texts = []
            result.join(found)
    return result


def _report(part: Part, depth: int) -> Selection:
    """The text for people; the rest is for machines (RFC 6522), the returned mail included."""
    result = select(part.children[0], depth + 1)
    result.reports += part.children[1:]
    return result


def _leaf(part: Part) -> Selection:
    kind = part.media_type
    disposition, parameters = part.disposition
    name = (parameters.get("filename") or part.parameters.get("name", "")).lower()
    if kind in _SIGNATURES or name in ("smime.p7s", "signature.asc"):
        return Selection()
    if kind in _TNEF or name == "winmail.dat":
        return Selection(winmail=[part])
    if kind in _PKCS7:
        opaque = part.parameters.get("smime-type", "").lower() in ("signed-data", "certs-only")
        return Selection(files=[part], notes=[OPAQUE_NOTE]) if opaque else Selection(notes=[SMIME_NOTE])
    if kind in _CALENDARS:
        return Selection(calendars=[part])
    if kind in _REPORTS:
        return Selection(reports=[part])
    if kind.startswith("multipart/"):
        return Selection(texts=[Text(plain=part)])  # one without parts: its text is all there is
    if kind in _READABLE and disposition != "attachment" and (not name or disposition == "inline"):
        return Selection(texts=[Text(html=part) if kind == "text/html" else Text(plain=part)])
    if kind == "application/pgp-encrypted":
        return Selection(notes=[PGP_NOTE])
    if part.content_id and disposition != "attachment" and kind.startswith("image/"):
        return Selection(inline=[part])
    return Selection(files=[part])
