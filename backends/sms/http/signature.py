"""Knows how a provider signs its requests (Twilio's documentation, "Security": validating requests).

The key signs the full URL, followed by each POST parameter's name and value, in the order of the names. For
a body that is no form, the URL's query has the body's SHA-256 instead (`bodySHA256`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from urllib.parse import parse_qs

SHA1 = "HMAC_SHA1"
SHA256 = "HMAC_SHA256"

_HASHES = {SHA1: hashlib.sha1, SHA256: hashlib.sha256}
_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"(https?)://(\[[^]/?#]*\]|[^:/?#]*)(?::(\d*))?([/?#].*)?", re.DOTALL)

Fields = Iterable[tuple[str, str]]


def sign(key: str, url: str, fields: Fields = (), algorithm: str = SHA1) -> str:
    """The signature, base64. A parameter that is there twice counts with each of its values once, in the
    order of the values (so do the provider's own libraries). `algorithm` is `SHA1` or `SHA256`."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    made = hmac.new(_bytes(key), _bytes(text), _HASHES[algorithm])
    return base64.b64encode(made.digest()).decode("ascii")


def is_signed(key: str, signature: str, url: str, fields: Fields = (), algorithm: str = SHA1) -> bool:
    """Whether a request for the URL is signed with the key, in constant time. The port may have been signed
    or not, whatever the URL has: providers do both."""
    if not key or algorithm not in _HASHES:
        return False
    known = tuple(fields)
    right = False
    for each in _with_and_without_port(url):
        made = sign(key, each, known, algorithm)
        right |= hmac.compare_digest(_bytes(made), _bytes(signature))
    return right


def body_matches(query: str, body: bytes) -> bool:
    """Whether a URL's query has the hash of this body."""
    hashes = parse_qs(query).get("bodySHA256", [""])
    made = hashlib.sha256(body).hexdigest()
    return hmac.compare_digest(_bytes(made), _bytes(hashes[0].lower()))


def algorithm_of(header: str) -> str:
    """The algorithm that `X-Twilio-Webhooks-Signature-Settings` names (`key=...,algorithm=...`); without it,
    `SHA1`. It may be one that nobody knows."""
    for part in header.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return SHA1


def _with_and_without_port(url: str) -> tuple[str, str]:
    found = _URL.fullmatch(url)
    if found is None:
        return url, url
    scheme, host, port, rest = found.groups("")
    return f"{scheme}://{host}{rest}", f"{scheme}://{host}:{port or _PORTS[scheme]}{rest}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
