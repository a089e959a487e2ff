"""Makes the file with the whole of a mail for a person to read: text, or HTML that is safe to open."""

from __future__ import annotations

from html import escape

from backends.email.reading.header import Header

_FIELDS = (("From", "from"), ("To", "to"), ("Cc", "cc"), ("Date", "date"), ("Subject", "subject"))
_LONGEST_FIELD = 2000
_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title></head><body>
<table>{fields}</table>
<hr>
{body}
</body></html>
"""


def _fields(header: Header) -> list[tuple[str, str]]:
    found = [(label, header.text(name)[:_LONGEST_FIELD]) for label, name in _FIELDS]
    return [(label, text) for label, text in found if text]


def as_text(header: Header, text: str) -> bytes:
    """A text with the main fields of the header on top."""
    top = "".join(f"{label}: {value}\n" for label, value in _fields(header))
    return f"{top}\n{text.rstrip()}\n".encode("utf-8", "replace")


def as_html(header: Header, html: str) -> bytes:
    """HTML without scripts, forms, and anything that is loaded from elsewhere, the same fields on top."""
    import nh3

    def allowed(tag: str, attribute: str, value: str) -> str | None:
        return None if tag == "img" and attribute == "src" else value

    body = nh3.clean(html, attribute_filter=allowed)
    fields = "".join(
        f"<tr><th align='left'>{label}</th><td>{escape(text)}</td></tr>" for label, text in _fields(header)
    )
    page = _PAGE.format(title=escape(header.text("subject")[:200]), fields=fields, body=body)
    return page.encode("utf-8", "replace")
