"""Knows the conversation from the first byte to 001: capabilities, password, nick, SASL. A pure state
machine.

`CAP LS 302`, then PASS, NICK, USER; REQ of what we use; SASL PLAIN; CAP END
(https://ircv3.net/specs/extensions/capability-negotiation, .../sasl-3.2).
"""

from __future__ import annotations

import base64

import msgspec

from backends.irc.names import classic_nick, is_made_up, user_name
from backends.irc.numerics import (
    BAD_NICK,
    LOGIN_ANSWERS,
    NICK_TAKEN,
    name_of,
)
from backends.irc.parser import Line, build
from bridge.api import AuthFailed, BackendError, ConnectionLost, Reason

WANTED_CAPS = (
    "account-notify",
    "account-tag",
    "away-notify",
    "batch",
    "chghost",
    "extended-join",
    "message-tags",
    "multi-prefix",
    "server-time",
    "userhost-in-names",
)
"""What we ask for. Not `echo-message`: the room's reflection does not wait for the server."""

_SASL_CHUNK = 400
_SIMPLE_TRIES = 3
_MOST_NICKS = 8


class Identity(msgspec.Struct, frozen=True):
    """Who to be. `login` and `password` are for SASL, `server_password` for PASS; empty: not used.
    `persistent`: try other nicks while the wished one is taken."""

    nick: str
    realname: str = ""
    login: str = ""
    password: str = ""
    server_password: str = ""
    persistent: bool = False

    def __repr__(self) -> str:
        return f"Identity({self.nick!r})"


class Registration:
    """`start`, then `receive` for each line until `done`; both return the lines to send.

    `receive` raises `AuthFailed`, or `ConnectionLost` (`CONFLICT` for a nick in use). `nick` is the one in
    force, `caps` what the server agreed to.
    """

    def __init__(self, identity: Identity) -> None:
        self.nick = identity.nick
        self.caps: set[str] = set()
        self.done = False
        self._who = identity
        self._offered: dict[str, str] = {}
        self._asked: tuple[str, ...] = ()
        self._negotiating = True
        self._nicks_tried = 0
        self._overruled = ""

    def start(self) -> list[str]:
        """What to say first."""
        lines = ["CAP LS 302"]
        if self._who.server_password:
            lines.append(build("PASS", trailing=self._who.server_password))
        lines.append(build("NICK", self.nick))
        lines.append(
            build("USER", user_name(self._who.nick), "0", "*", trailing=self._who.realname or self._who.nick)
        )
        return lines

    def receive(self, line: Line) -> list[str]:
        """What to answer to a line."""
        if line.command == "CAP":
            return self._cap(line)
        if line.command == "AUTHENTICATE":
            return self._authenticate() if line.param(0) == "+" else []
        if line.command == "001":
            return self._welcome(line)
        if line.command == "NICK":
            return self._renamed(line)
        name = name_of(line.command)
        if name in NICK_TAKEN:
            return [] if line.param(1) == self._overruled else self._next_nick(line.param(-1))
        if name in BAD_NICK:
            return self._plainer_nick(line)
        if name in LOGIN_ANSWERS:
            return self._login_answer(name, line)
        return []

    def _welcome(self, line: Line) -> list[str]:
        if self._who.password and self._negotiating:
            raise self._no_login("does not know capabilities")
        self.done = True
        self.nick = line.param(0) or self.nick
        return []

    def _cap(self, line: Line) -> list[str]:
        verb, words = line.param(1).upper(), line.param(-1).split()
        if verb == "LS":
            for word in words:
                name, _, value = word.partition("=")
                self._offered[name] = value
            return [] if line.param(2) == "*" and len(line.params) > 3 else self._request()
        if verb in ("ACK", "NAK") and self._negotiating:
            return self._answered(verb == "ACK", words)
        return []

    def _request(self) -> list[str]:
        if not self._negotiating or self._asked:
            return []
        wanted = tuple(cap for cap in WANTED_CAPS if cap in self._offered)
        if self._who.password:
            if "sasl" not in self._offered:
                raise self._no_login("offers no login now (its services may be down)")
            mechanisms = self._offered["sasl"].upper().split(",")
            if self._offered["sasl"] and "PLAIN" not in mechanisms:
                raise AuthFailed(f"This network takes no password (only {self._offered['sasl']})")
            wanted += ("sasl",)
        self._asked = wanted
        return [build("CAP", "REQ", trailing=" ".join(wanted))] if wanted else self._end()

    def _answered(self, agreed: bool, words: list[str]) -> list[str]:
        if agreed:
            self.caps.update(word for word in words if word[:1] != "-")
            if "sasl" in self.caps:
                return ["AUTHENTICATE PLAIN"]
        elif self._who.password and self._asked != ("sasl",):
            self._asked = ("sasl",)
            return [build("CAP", "REQ", trailing="sasl")]
        elif self._who.password:
            raise self._no_login("refuses the login")
        return self._end()

    def _end(self) -> list[str]:
        self._negotiating = False
        return ["CAP END"]

    def _authenticate(self) -> list[str]:
        login = self._who.login or self._who.nick
        secret = "\0".join((login, login, self._who.password)).encode("utf-8", "replace")
        text = base64.b64encode(secret).decode("ascii")
        chunks = [text[at : at + _SASL_CHUNK] for at in range(0, len(text), _SASL_CHUNK)]
        if len(chunks[-1]) == _SASL_CHUNK:
            # A full last part would look as if more came.
            chunks.append("+")
        return [f"AUTHENTICATE {chunk}" for chunk in chunks]

    def _login_answer(self, name: str, line: Line) -> list[str]:
        if name in ("saslsuccess", "saslalready"):
            return self._end() if self._negotiating else []
        if name == "loggedin":
            return []
        raise AuthFailed(line.param(-1) or "The network does not take this login")

    def _no_login(self, why: str) -> BackendError:
        return ConnectionLost(f"The server {why}: not connected without your login", Reason.NETWORK_DOWN)

    def _renamed(self, line: Line) -> list[str]:
        """Somebody else was faster, and the server gave us a nick of its making (InspIRCd: "overruled"). It
        says 433 too, now or before."""
        if line.nick != self.nick or not is_made_up(line.param(0)):
            return []
        self._overruled = self.nick
        return self._next_nick("")

    def _next_nick(self, text: str) -> list[str]:
        if not self._who.persistent or self._nicks_tried >= _MOST_NICKS:
            why = text or "Nickname is already in use"
            raise ConnectionLost(f"{self.nick}: {why}", Reason.CONFLICT)
        self._nicks_tried += 1
        tries = self._nicks_tried
        # Where nicks are short, the server cuts what is appended off again.
        self.nick = f"{self.nick}_" if tries <= _SIMPLE_TRIES else f"{self._who.nick[:7]}_{tries}"
        return [build("NICK", self.nick)]

    def _plainer_nick(self, line: Line) -> list[str]:
        plain = classic_nick(self.nick)
        if plain == self.nick:
            raise AuthFailed(f"{self.nick}: {line.param(-1) or 'Erroneous nickname'}")
        self.nick = plain
        return [build("NICK", plain)]
