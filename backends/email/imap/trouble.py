"""Knows why a connection to a mail server could not be made, in words for its user."""

from __future__ import annotations

import os
import ssl

from backends.email.values import Server
from bridge.api import BackendError

# OpenSSL's X509_V_ERR_* numbers.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21, 27)
_OTHER_NAME = (62, 63, 64)


class ServerSaidNo(BackendError):
    """The server refused one command, and the connection goes on. `code` is its response code (RFC 5530;
    empty: none)."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


def explain(error: OSError, server: Server) -> str:
    """What went wrong when connecting, and where; a certificate's trouble says what is wrong with it."""
    return f"{server.host}, port {server.port}: {_why(error, server.host)}"


def _why(error: OSError, host: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, host)
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"):
            return "it does not speak TLS there (another port, or STARTTLS, may be right)"
        return f"no encrypted connection could be made ({error.reason or 'TLS failed'})"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, ConnectionError):
        return "it closed the connection"
    return os.strerror(error.errno) if error.errno else "the connection failed"


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    number = error.verify_code
    if number == _EXPIRED:
        return "its certificate has expired (the server's admin must renew it)"
    if number == _NOT_YET_VALID:
        return "its certificate is not valid yet (is one of the clocks wrong?)"
    if number in _OTHER_NAME:
        return f"its certificate is not for {host} (the server may be meant to be asked by another name)"
    if number in _UNKNOWN_AUTHORITY:
        return "its certificate is from an authority that nobody here knows"
    return f"its certificate cannot be trusted ({error.verify_message or number})"
