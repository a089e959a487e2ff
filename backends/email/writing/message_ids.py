"""Makes Message-IDs (RFC 5322 §3.6.4). Pure."""

from __future__ import annotations

import hashlib
from base64 import b32encode

from backends.email.writing.fields import is_id


def message_id(account: str, key: str, domain: str) -> str:
    """The id of a mail, without angle brackets: the same for the same account and key, so that a mail that
    is sent again can be known for the same; nothing can be read from it. `domain` is the sender's.

    Raises ValueError for a domain that can't stand in an id."""
    digest = hashlib.sha256(f"{len(account)}:{account}{key}".encode("utf-8", "surrogatepass")).digest()
    left = b32encode(digest[:20]).decode("ascii").lower()
    right = domain.lower() if domain.isascii() else domain.encode("idna").decode("ascii")
    if not right or "@" in right or not is_id(right):
        raise ValueError("not a domain")
    return f"{left}@{right}"
