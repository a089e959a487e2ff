"""What is logged, and how: text for people on a terminal, JSON otherwise; never a message's body or a secret.

Convention: `log.info("session online", extra={"account": account.id})`: a fixed event, and its circumstances
in `extra`. The filter here is a second fence; the first is that nobody logs a body.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO
from xml.etree.ElementTree import Element

import msgspec
from pythonjsonlogger.json import JsonFormatter

HIDDEN = "***"

PINNED = {
    "slixmpp": logging.WARNING,
    "irc": logging.INFO,
    "jaraco": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "aioimaplib": logging.INFO,
    "mail.log": logging.WARNING,
}
"""Other people's loggers -> the least level they may log at: below it they show bodies, secrets or noise."""

_PRIVATE_KEYS = frozenset(
    (
        "body",
        "text",
        "content",
        "subject",
        "stanza",
        "raw",
        "line",
        "password",
        "secret",
        "token",
        "key",
        "handshake",
    )
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
_COLOURS = {"DEBUG": "\x1b[2m", "WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[1;31m"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Redactor(logging.Filter):
    """Takes out of a record what must not be in a log: contract values (they hold bodies), XML elements,
    values under keys like `body`, and every registered secret wherever it stands, tracebacks included."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Register more secrets. Quoted and escaped forms are found, too."""
        for secret in filter(None, secrets):
            self._secrets |= {secret, repr(secret)[1:-1], msgspec.json.encode(secret).decode()[1:-1]}
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def clean(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(HIDDEN, text) if self._pattern is not None else text

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact; keeps every record."""
        record.msg = self.clean(_message(record))
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None  # else a formatter would format it again, secrets and all
        for part in ("exc_text", "stack_info"):
            if getattr(record, part):
                setattr(record, part, self.clean(getattr(record, part)))
        for key in set(vars(record)) - _STANDARD:
            value = getattr(record, key)
            setattr(record, key, HIDDEN if key in _PRIVATE_KEYS else self._cleaned(value))
        return True

    def _cleaned(self, value: object) -> object:
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, int | float | None):
            return value
        return self.clean(str(_opaque(value)))


def _message(record: logging.LogRecord) -> str:
    """The message with its arguments, those that may hold a body replaced by their type's name."""
    arguments = record.args
    if isinstance(arguments, Mapping) and "%(" in str(record.msg):
        arguments = {
            key: HIDDEN if key in _PRIVATE_KEYS else _opaque(each) for key, each in arguments.items()
        }
    elif isinstance(arguments, Mapping):
        arguments = (_opaque(arguments),)
    elif arguments:
        arguments = tuple(map(_opaque, arguments))
    try:
        return str(_opaque(record.msg)) % arguments if arguments else str(_opaque(record.msg))
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} (with arguments that don't fit)"


def _opaque(value: object) -> object:
    """Values that may hold a body, as the name of their type. A struct whose `__repr__` is of
    its own making has one that is safe."""
    if isinstance(value, list | tuple | set | frozenset):
        return [_opaque(each) for each in value]
    own_repr = type(value).__repr__ is not msgspec.Struct.__repr__
    if isinstance(value, msgspec.Struct) and own_repr:
        return repr(value)
    if isinstance(value, msgspec.Struct | Element | bytes | bytearray | dict):
        return f"<{type(value).__name__}>"
    if type(value).__module__.partition(".")[0] == "slixmpp" and not isinstance(value, BaseException | str):
        return str(value) if type(value).__name__ == "JID" else f"<{type(value).__name__}>"
    return value


def _printable(text: str) -> str:
    """The text without what could end the line or paint the terminal."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, event, and the circumstances as key=value."""

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback below it if there is one."""
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        name = record.name.removeprefix("bridge.")
        extras = "".join(f" {key}={_printable(str(value))}" for key, value in extras_of(record).items())
        event = _printable(record.getMessage())
        line = f"{time} {record.levelname.lower():7} {name}: {event}{extras}"
        if self._colour and record.levelname in _COLOURS:
            line = f"{_COLOURS[record.levelname]}{line}\x1b[0m"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class JsonLines(JsonFormatter):
    """One JSON object a line: `time` (UTC), `level`, `logger`, `message`, and the circumstances."""

    def __init__(self) -> None:
        super().__init__("%(message)s", json_ensure_ascii=False)

    def add_fields(
        self, log_record: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Fill in the object."""
        log_record["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_record["level"] = record.levelname.lower()
        log_record["logger"] = record.name
        super().add_fields(log_record, record, message_dict)


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream that may refuse (the disk is full): that costs lines, never more, and is told in the
    log when it takes lines again."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line."""
        try:
            line = self.format(record)
            if self._lost:
                line = f"{self.format(self._about_lost())}\n{line}"
            self.stream.write(f"{line}\n")
            self.stream.flush()
            self._lost = 0
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._lost += 1

    def _about_lost(self) -> logging.LogRecord:
        text = f"about {self._lost} lines of this log could not be written"
        return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)


def extras_of(record: logging.LogRecord) -> dict[str, object]:
    """What was given as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def set_up(level: str, form: str, stream: TextIO | None = None, redactor: Redactor | None = None) -> Redactor:
    """Send all logs to `stream` (default: stderr) as `auto`, `json` or `text`; replaces what was there.

    Returns the redactor, for secrets that turn up later."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    redactor = redactor or Redactor()
    handler = LineHandler(stream)
    text = form == "text" or (form == "auto" and terminal)
    handler.setFormatter(TextFormatter(colour=terminal) if text else JsonLines())
    handler.addFilter(redactor)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    set_level(level)
    logging.captureWarnings(True)
    return redactor


def set_level(level: str) -> None:
    """Log at this level, other people's noisy loggers not below theirs."""
    wanted = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(wanted)
    for name, least in PINNED.items():
        logging.getLogger(name).setLevel(max(wanted, least))


def silence(name: str) -> None:
    """Let nothing of this logger through: its owner's news is told otherwise."""
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)
