"""Knows what the server itself says: limits, greetings, the message of the day, errors. Most is passed on as
text."""

from __future__ import annotations

from collections.abc import Callable

from backends.irc.formatting import plain
from backends.irc.link import Link
from backends.irc.numerics import NICK_TAKEN, REFUSALS, is_error, name_of
from backends.irc.parser import Line, build
from bridge.api import NetworkNotice, Reason

Handlers = dict[str, Callable[[Line], None]]

_SILENT = ("welcome", "myinfo", "pong", "authenticate", "setname", "tagmsg", "motdstart", "saslsuccess")
_MOST_MOTD = 500


class ServerLines:
    """Turns what the server says into notices, and learns from it."""

    def __init__(self, link: Link, channels_changed: Callable[[], None]) -> None:
        self._link = link
        self._channels_changed = channels_changed
        self._motd: list[str] = []

    def handlers(self) -> Handlers:
        """The lines that this part takes, by name."""
        silent: Handlers = dict.fromkeys(_SILENT, self._silent)
        return silent | {
            "featurelist": self._features,
            "ping": self._ping,
            "error": self._error,
            "cap": self._capability,
            "motd": self._motd_line,
            "endofmotd": self._motd_end,
            "umodeis": self._own_mode,
            "hosthidden": self._host_hidden,
            "inviting": self._inviting,
        }

    def _silent(self, line: Line) -> None:
        """Nothing that people need."""

    def relay(self, line: Line) -> None:
        """Any other line of the server: errors as `what: why`, the rest as it is. Commands are left out."""
        if is_error(line.command):
            self._refused(line)
        elif line.command.isdecimal():
            self._say(line, " ".join(line.params[1:]))

    def _say(self, line: Line, text: str) -> None:
        text = plain(text)
        self._link.emit(NetworkNotice(f"{line.source}: {text}" if line.source else text))

    def _refused(self, line: Line) -> None:
        name, what = name_of(line.command), line.param(1)
        if name in NICK_TAKEN and self._link.regaining and what == self._link.wanted_nick:
            self._link.regaining = False
            return  # nobody asked us to try it again and again
        why = " ".join(line.params[2:]) or "Unspecified error"
        self._say(line, f"{what}: {why}")
        self._link.trusted.pop(self._link.isupport.fold(what), None)
        self._link.refuse_join(what, REFUSALS.get(name, Reason.FORBIDDEN), line.param(-1))

    def _features(self, line: Line) -> None:
        isupport = self._link.isupport
        casemapping, chantypes = isupport.casemapping, isupport.chantypes
        isupport.learn(line.params[1:-1])
        if isupport.casemapping != casemapping:
            self._link.channels.fold_changed()
        if isupport.chantypes != chantypes:
            self._link.book.learn(self._link.network, isupport.chantypes)
        self._link.wire.longest_out = max(isupport.linelen, 512) - 2
        self._channels_changed()

    def _ping(self, line: Line) -> None:
        self._link.outbox.write(build("PONG", trailing=line.param(-1)))

    def _error(self, line: Line) -> None:
        self._link.error = plain(line.param(-1)) or "closed by the server"

    def _capability(self, line: Line) -> None:
        if line.param(1).upper() == "DEL":
            self._link.caps.difference_update(line.param(-1).split())

    def _motd_line(self, line: Line) -> None:
        if len(self._motd) < _MOST_MOTD:
            self._motd.append(plain(line.param(-1)))

    def _motd_end(self, line: Line) -> None:
        lines, self._motd = self._motd, []
        text = "\n".join(lines)
        self._link.emit(NetworkNotice(f"{line.source}: {text}" if line.source else text))

    def _own_mode(self, line: Line) -> None:
        self._link.emit(NetworkNotice(f"User mode for {line.param(0)} is [{' '.join(line.params[1:])}]"))

    def _host_hidden(self, line: Line) -> None:
        user, _, _host = self._link.userhost.partition("@")
        host = line.param(1)
        self._link.userhost = host if "@" in host else f"{user}@{host}" if user else ""
        self.relay(line)

    def _inviting(self, line: Line) -> None:
        self._link.emit(NetworkNotice(f"{line.param(1)} has been invited to {line.param(2)}"))
