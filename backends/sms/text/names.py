"""What alphanumeric senders call themselves (3GPP TS 23.040 §9.1.2.5), as names that a JID can carry."""

from __future__ import annotations

import hashlib
import stringprep
import unicodedata

LONGEST = 32
_MOST_READ = 128
_KEPT = 24
_FORBIDDEN = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def shown(text: str) -> str:
    """A name as its sender writes it, without what cannot be shown."""
    return _spaced("".join(char for char in text[:_MOST_READ] if char.isprintable() or char.isspace()))


def fold(text: str) -> str:
    """A name for any text: it has a letter, never begins with `+` and has no `;`, so that it is neither a
    number nor a short code; it is the same after nodeprep (RFC 6122 §A); and `fold` leaves it as it is.

    What cannot be in it is replaced by `_`, and a digest makes up for it, so that senders stay apart."""
    plain = "".join(char for char in text[:_MOST_READ] if unicodedata.category(char) not in ("Cc", "Cf"))
    wanted = _spaced(_mapped(_spaced(plain)))
    if not any(map(str.isalpha, wanted)):
        wanted = f"sender {wanted}" if wanted else "unknown sender"
    name = _writable(wanted)
    if name == wanted and len(name) <= LONGEST:
        return name
    return _writable(f"{name[:_KEPT].rstrip()}~{_digest(plain)}")


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _mapped(text: str) -> str:
    """As nodeprep maps it (RFC 6122 §A.3, §A.4)."""
    mapped = "".join(stringprep.map_table_b2(char) for char in text if not stringprep.in_table_b1(char))
    return unicodedata.ucd_3_2_0.normalize("NFKC", mapped)


def _writable(name: str) -> str:
    chars = ["_" if char == ";" or any(table(char) for table in _FORBIDDEN) else char for char in name]
    if chars[0] == "+":
        chars[0] = "_"
    chars = list(_one_direction("".join(chars)))
    for at, char in enumerate(chars):
        # What a mark stands on may be escaped (XEP-0106), and the mark would then change the escape.
        if unicodedata.combining(char) and not (at and chars[at - 1].isalpha()):
            chars[at] = "_"
    return "".join(chars)


def _one_direction(name: str) -> str:
    """Without what is written from right to left, where nodeprep does not take the mixture (RFC 3454 §6)."""
    leftward = [stringprep.in_table_d1(char) for char in name]
    if not any(leftward):
        return name
    if leftward[0] and leftward[-1] and not any(map(stringprep.in_table_d2, name)):
        return name
    return "".join("_" if left else char for left, char in zip(leftward, name, strict=True))


def _digest(text: str) -> str:
    octets = hashlib.blake2s(text.encode("utf-8", "surrogatepass"), digest_size=7).digest()
    return "".join(chr(ord("a") + octet % 26) for octet in octets)
