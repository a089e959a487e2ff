"""Knows PGP's armour in a text (RFC 9580 §6, §7): what is signed is the text, what is encrypted is none.
Pure."""

from __future__ import annotations

_SIGNED, _SIGNATURE, _END = (
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "-----BEGIN PGP SIGNATURE-----",
    "-----END PGP SIGNATURE-----",
)
_ENCRYPTED, _ENCRYPTED_END = "-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----"


def without_armour(text: str) -> tuple[str, bool]:
    """The text without armour, and whether something in it was encrypted (and is left out)."""
    encrypted = False
    if _ENCRYPTED in text:
        before, _, rest = text.partition(_ENCRYPTED)
        text, encrypted = before + rest.partition(_ENCRYPTED_END)[2], True
    if _SIGNED in text:
        before, _, rest = text.partition(_SIGNED)
        signed, _, rest = rest.partition(_SIGNATURE)
        lines = signed.partition("\n\n")[2].split("\n")
        signed = "\n".join(line.removeprefix("- ") for line in lines)
        text = before + signed + rest.partition(_END)[2]
    return text, encrypted
