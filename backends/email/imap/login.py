"""Knows how a user is logged in (RFC 9051 §6.2), and what a refusal means. Secrets are sent apart from the
commands that they belong to, so that nothing that is written about a command has them."""

from __future__ import annotations

import base64

import msgspec

from backends.email.imap.dial import ask_capabilities
from backends.email.imap.link import Answer, Link, sending
from backends.email.imap.syntax import Status
from bridge.api import AuthFailed, ConnectionLost, ProtocolError

_FOR_NOW = ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG")
"""Response codes (RFC 5530) that say that another time may be better."""
_FOR_NOW_WORDS = ("too many", "try again", "temporar", "rate limit", "unavailable")


class Credentials(msgspec.Struct, frozen=True):
    """Who logs in, and with what."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user!r})"


async def log_in(link: Link, credentials: Credentials) -> None:
    """Log in. Raises `AuthFailed` with what the server said, `ConnectionLost` where it only says: not now."""
    if link.wire.state == "AUTH":
        return
    if "\0" in credentials.user + credentials.password:
        raise AuthFailed("A user name or password cannot have a NUL in it")
    answer = await _authenticate(link, credentials)
    if answer.status.kind != "OK":
        raise refusal(link.wire.where, answer.status)
    link.wire.state = "AUTH"
    await ask_capabilities(link)
    if "ID" in link.capabilities:
        # Some providers let nobody in who does not say this (RFC 2971); what they answer does not matter.
        await link.ask("ID", '("name" "xmpp-bridge")')


async def _authenticate(link: Link, credentials: Credentials) -> Answer:
    plain = "AUTH=PLAIN" in link.capabilities
    if not plain and "LOGINDISABLED" in link.capabilities:
        raise AuthFailed(f"{link.wire.where} does not take passwords on this connection")
    if plain:
        answer = await _plain(link, credentials)
        if answer.status.kind != "BAD" or "LOGINDISABLED" in link.capabilities:
            return answer
    return await _login(link, credentials)


async def _plain(link: Link, credentials: Credentials) -> Answer:
    """SASL PLAIN (RFC 4616), which takes all of Unicode."""
    token = base64.b64encode(f"\0{credentials.user}\0{credentials.password}".encode())
    return await link.ask("AUTHENTICATE", "PLAIN", parts=[sending(token + b"\r\n")])


async def _login(link: Link, credentials: Credentials) -> Answer:
    """LOGIN with literals (RFC 9051 §6.2.3, §4.3), which take everything."""
    user, password = credentials.user.encode(), credentials.password.encode()
    parts = [sending(user + b" {%d}\r\n" % len(password)), sending(password + b"\r\n")]
    return await link.ask("LOGIN", f"{{{len(user)}}}", parts=parts)


def refusal(where: str, status: Status) -> AuthFailed | ConnectionLost | ProtocolError:
    """What a login that did not succeed means."""
    text = f'{where} said: "{status.text or status.code or status.kind}"'
    lower = status.text.lower()
    if status.code in _FOR_NOW or (not status.code and any(each in lower for each in _FOR_NOW_WORDS)):
        return ConnectionLost(f"The login is not possible for now. {text}")
    if status.kind == "BAD":
        return ProtocolError(f"The login was not understood. {text}")
    return AuthFailed(f"The login was refused. {text}")
