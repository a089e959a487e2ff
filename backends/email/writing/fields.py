"""Knows how header fields are written (RFC 5322, RFC 2047, RFC 2231, RFC 6532). Pure.

No value can bring in a field of its own: text is cleaned of line breaks and controls, and addresses, ids and
media types that are not what they should be raise ValueError."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote

from backends.email.values import Person

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_LOCAL = re.compile(r'[^\s<>()\[\]\\,;:@"\x00-\x20\x7f-\x9f]{1,64}|"[^\s"\\<>\x00-\x20\x7f-\x9f]{1,64}"')
_DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*|\[[0-9A-Fa-f.:IPv]{3,50}\]")
_ID = re.compile(r"[!-;=?-~]{1,500}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,80}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
_WORD_OCTETS = 42
"""Of text in one encoded word, so that the word stays under 75 characters."""


def clean(text: str) -> str:
    """Text on one line, without controls."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _CONTROLS.sub(" ", text)).strip()


def field(name: str, value: str) -> bytes:
    """A whole field, with its line end. `value` is folded already; what else breaks lines raises "
    "ValueError."""
    if re.search(r"[\x00\r\n]", value.replace("\r\n ", "")):
        raise ValueError(f"a line break in {name}")
    return f"{name}: {value}\r\n".encode()


def unstructured(text: str, room: int = 66) -> str:
    """Text for Subject and the like, folded; what is not ASCII becomes encoded words."""
    text = clean(text)
    if not text.isascii() or "=?" in text or any(len(word) > 900 for word in text.split(" ")):
        return _encoded(text)
    lines, line = [], ""
    for word in text.split(" "):
        if line.strip() and len(line) + len(word) >= room and word:
            lines.append(line)
            line, room = word, 76
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line])


def _encoded(text: str) -> str:
    """Encoded words, cut at whole characters (RFC 2047 §5)."""
    words, octets = [], b""
    for letter in text:
        more = letter.encode()
        if len(octets) + len(more) > _WORD_OCTETS:
            words.append(octets)
            octets = b""
        octets += more
    return "\r\n ".join(f"=?utf-8?B?{b64encode(word).decode()}?=" for word in [*words, octets])


def address(value: str) -> str:
    """An address as it is written in a field: the domain in ASCII (RFC 5891). The part before the @ stays
    as it is; is it not ASCII, the mail needs SMTPUTF8.

    Raises ValueError for what is no address."""
    local, at, domain = value.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or len(domain) > 253 or _SURROGATES.search(local):
        raise ValueError("not an email address")
    if not domain.isascii():
        domain = domain.encode("idna").decode("ascii")  # UnicodeError is a ValueError
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("not an email address")
    return f"{local}@{domain}"


def person(who: Person) -> str:
    """`Name <address>`. Raises ValueError for a bad address."""
    name, where = clean(who.name)[:200], address(who.address)
    if not name:
        return where
    if not name.isascii() or "=?" in name:
        shown = _encoded(name)
    elif _ATOMS.fullmatch(name):
        shown = name
    else:
        escaped = re.sub(r'(["\\])', r"\\\1", name)
        shown = f'"{escaped}"'
    return f"{shown}{' ' if len(shown) + len(where) < 70 else chr(13) + chr(10) + ' '}<{where}>"


def people(each: Iterable[Person]) -> str:
    """A list of people, one on a line. Raises ValueError for a bad address."""
    return ",\r\n ".join(map(person, each))


def is_id(value: str) -> bool:
    """Whether a Message-ID, without its angle brackets, can be written."""
    return _ID.fullmatch(value) is not None


def ids(values: Iterable[str]) -> str:
    """Message-IDs, one on a line; those that can't be written (a stranger made them) are left out."""
    return "\r\n ".join(f"<{value}>" for value in values if is_id(value))


def media_type(value: str) -> str:
    """A media type that the content may have when it is sent in Base64; what is none is just octets."""
    value = value.strip().lower()
    composite = value.startswith(("multipart/", "message/"))
    return value if _MEDIA_TYPE.fullmatch(value) and not composite else "application/octet-stream"


def file_name(name: str) -> str:
    """The `filename` parameter (RFC 2231 where the name is not ASCII), with the semicolon before it."""
    name = clean(name)
    if name.isascii() and len(name) < 60:
        escaped = re.sub(r'(["\\])', r"\\\1", name)
        return f';\r\n filename="{escaped}"'
    encoded = quote(name, safe="")
    if len(encoded) < 60:
        return f";\r\n filename*=utf-8''{encoded}"
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", encoded)
    first, *others = pieces
    parameters = [f";\r\n filename*0*=utf-8''{first}"]
    parameters += [f";\r\n filename*{number}*={piece}" for number, piece in enumerate(others, 1)]
    return "".join(parameters)
