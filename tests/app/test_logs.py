"""Logs are text for people and JSON for machines, and hold neither secrets nor what people wrote."""

from __future__ import annotations

import io
import json
import logging
from xml.etree.ElementTree import Element

import pytest
from slixmpp import JID, Message

from bridge.api import Account, AccountId, Content, DirectChat, NetworkId, SendMessage
from bridge.api.ids import ContactId
from bridge.app import logs

log = logging.getLogger("bridge.test")
BODY = "meet me at the docks"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(
    form: str = "text", level: str = "debug", secrets: tuple[str, ...] = (), terminal: bool = False
) -> io.StringIO:
    stream = Terminal() if terminal else io.StringIO()
    logs.set_up(level, form, stream, logs.Redactor(secrets))
    return stream


def test_json_has_time_level_logger_message_and_the_circumstances() -> None:
    stream = logged("json")
    log.warning("session %s", "online", extra={"account": "a b", "gateway": "irc.example.com", "tries": 3})
    found = json.loads(stream.getvalue())
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "warning",
        "logger": "bridge.test",
        "message": "session online",
        "account": "a b",
        "gateway": "irc.example.com",
        "tries": 3,
    }


def test_text_is_one_line_for_people() -> None:
    stream = logged("text")
    log.info("session online", extra={"account": "a"})
    time, rest = stream.getvalue().split(" ", 1)
    assert len(time) == 8
    assert rest == "info    test: session online account=a\n"


def test_auto_is_text_on_a_terminal_and_json_elsewhere() -> None:
    for terminal in (True, False):
        stream = logged("auto", terminal=terminal)
        log.error("oops")
        text = stream.getvalue()
        assert text.startswith("{") is not terminal
        assert ("\x1b[31m" in text) is terminal


def test_one_event_is_one_line() -> None:
    stream = logged("text")
    log.info("nick is %s", "a\r\n00:00:00 error fake", extra={"x": "b\x1b[2J\u2028"})
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


SECRETS = ("hunter2", 'quo"te\\', "ключ", "a b")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_registered_secret_is_nowhere(form: str, secret: str) -> None:
    stream = logged(form, secrets=SECRETS)
    log.info("as text %s and quoted %r in <%s>", secret, secret, [secret])
    log.info("template %s" % secret)  # noqa: G002, UP031 (somebody will)
    log.info("extra", extra={"where": f"x{secret}y", "many": [secret]})
    log.info("dict %(a)s", {"a": secret})
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("failed", stack_info=True)
    text = stream.getvalue()
    for line in text.splitlines() if form == "json" else []:
        text += str(json.loads(line))
    assert secret not in text
    assert repr(secret)[1:-1] not in text
    assert text.count("***") >= 7


def test_a_secret_that_turns_up_later() -> None:
    stream = io.StringIO()
    redactor = logs.set_up("info", "text", stream)
    redactor.add(["", "swordfish"])
    log.info("swordfish")
    assert "***" in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_people_wrote_is_nowhere(form: str) -> None:
    stream = logged(form)
    content = Content(BODY)
    command = SendMessage(DirectChat(ContactId("a")), "1", content)
    element = Element("message")
    element.text = BODY
    stanza = Message()
    stanza["body"] = BODY
    for value in (content, command, element, stanza, BODY.encode(), [command], (content,), {"body": BODY}):
        log.info("got %s", value, extra={"what": value})
        log.info(value)
    log.info("got", extra={"body": BODY, "text": BODY, "stanza": BODY, "line": BODY})
    log.info("mapping %(a)s %(body)s", {"a": content, "body": BODY})
    text = stream.getvalue()
    assert BODY not in text
    assert "<SendMessage>" in text


def test_values_that_are_safe_are_shown() -> None:
    stream = logged("text")
    account = Account(AccountId("irc a"), "a@b", NetworkId("n"), secrets={"password": "hunter2"})
    log.info("%s %s %d %s", account, JID("a@b/c"), 5, ["x", 1], extra={"n": None})
    assert "Account('irc a') a@b/c 5 ['x', 1] n=None" in stream.getvalue()


def test_arguments_that_do_not_fit_break_nothing() -> None:
    stream = logged("text")
    log.info("%d", "x")
    log.info("%s %s", *["x"])
    assert stream.getvalue().count("arguments that don't fit") == 2


@pytest.mark.parametrize(
    ("name", "level", "shown"),
    [
        ("slixmpp.xmlstream.xmlstream", logging.INFO, False),
        ("slixmpp.xmlstream.xmlstream", logging.WARNING, True),
        ("irc.client", logging.DEBUG, False),
        ("sqlalchemy.engine.Engine", logging.INFO, False),
        ("asyncio", logging.INFO, False),
        ("bridge.core", logging.DEBUG, True),
    ],
)
def test_talkative_libraries_are_pinned_even_at_debug(name: str, level: int, shown: bool) -> None:
    stream = logged("text", "debug")
    logging.getLogger(name).log(level, "SEND: <message/>")
    assert bool(stream.getvalue()) is shown


def test_a_higher_level_counts_for_them_too() -> None:
    stream = logged("text", "error")
    logging.getLogger("slixmpp").warning("x")
    log.warning("x")
    assert stream.getvalue() == ""


def test_the_level_changes_while_running() -> None:
    stream = logged("text", "info")
    log.debug("unseen")
    logs.set_level("debug")
    log.debug("seen")
    assert "unseen" not in stream.getvalue()
    assert "seen" in stream.getvalue()
