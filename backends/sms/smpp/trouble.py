"""Knows why there is no link to an SMSC, in words for the admin."""

from __future__ import annotations

import asyncio
import os
import ssl


class LinkFailed(ConnectionError):
    """There is no link, or no more; the text says why. The library takes it for any broken connection.

    `wrong_login`: only a human can mend that."""

    def __init__(self, why: str, *, wrong_login: bool = False) -> None:
        super().__init__(why)
        self.wrong_login = wrong_login


def explain(error: BaseException) -> str:
    """What went wrong with a connection."""
    if isinstance(error, LinkFailed):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted ({error.verify_message or error.verify_code})"
    if isinstance(error, ssl.SSLError):
        return f"no encrypted connection could be made ({error.reason or 'TLS failed'})"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, asyncio.IncompleteReadError | ConnectionError):
        return "it has closed the connection"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return "the connection failed"
