"""The conversation up to the welcome, as a state machine: no socket, no clock."""

from __future__ import annotations

import base64

import pytest

from backends.irc.parser import parse_line
from backends.irc.registration import Identity, Registration
from bridge.api import AuthFailed, ConnectionLost, Reason


def talk(registration: Registration, *lines: str) -> list[str]:
    """What is answered to these lines, in one list."""
    answers: list[str] = []
    for text in lines:
        line = parse_line(text)
        assert line is not None
        answers += registration.receive(line)
    return answers


def registering(**who: object) -> Registration:
    registration = Registration(Identity(**({"nick": "alice"} | who)))  # type: ignore[arg-type]
    registration.start()
    return registration


def test_what_is_said_first() -> None:
    who = Identity("alice", realname="Alice A.", server_password="let me in")
    assert Registration(who).start() == [
        "CAP LS 302", "PASS :let me in", "NICK alice", "USER alice 0 * :Alice A.",
    ]  # fmt: skip


def test_a_server_without_capabilities() -> None:
    registration = registering()
    assert talk(registration, ":s 421 * CAP :Unknown command", ":s 001 alice :Welcome") == []
    assert registration.done


def test_only_what_is_offered_is_asked_for() -> None:
    registration = registering()
    answers = talk(
        registration,
        ":s CAP * LS * :multi-prefix sasl=PLAIN tls",
        ":s CAP * LS :server-time echo-message",
        ":s CAP alice ACK :multi-prefix server-time",
        ":s 001 alicia :Welcome",
    )
    assert answers == ["CAP REQ :multi-prefix server-time", "CAP END"]
    assert registration.caps == {"multi-prefix", "server-time"}
    assert registration.nick == "alicia"


def test_nothing_that_we_know_is_offered() -> None:
    assert talk(registering(), ":s CAP * LS :tls") == ["CAP END"]


def sasl(registration: Registration, offer: str = "sasl=PLAIN,EXTERNAL") -> list[str]:
    return talk(registration, f":s CAP * LS :{offer}", ":s CAP * ACK :sasl ", "AUTHENTICATE :+")


def test_login() -> None:
    registration = registering(password="secret", login="acct")
    first, second, third = sasl(registration)
    assert (first, second) == ("CAP REQ :sasl", "AUTHENTICATE PLAIN")
    assert base64.b64decode(third.removeprefix("AUTHENTICATE ")) == b"acct\0acct\0secret"
    ending = talk(
        registration, ":s 900 a a!b@c acct :You are logged in", ":s 903 alice :done", ":s 001 alice :x"
    )
    assert ending == ["CAP END"]
    assert registration.done


@pytest.mark.parametrize("length", [1, 288, 289, 588, 1000])
def test_a_long_password_goes_in_parts(length: int) -> None:
    registration = registering(password="x" * length)
    parts = [line.removeprefix("AUTHENTICATE ") for line in sasl(registration)[2:]]
    assert all(len(part) == 400 for part in parts[:-1])
    assert len(parts[-1]) < 400
    text = "".join(part for part in parts if part != "+")
    assert base64.b64decode(text) == b"alice\0alice\0" + b"x" * length


@pytest.mark.parametrize("numeric", ["902", "904", "905", "906", "908"])
def test_a_login_that_is_refused(numeric: str) -> None:
    registration = registering(password="wrong")
    sasl(registration)
    with pytest.raises(AuthFailed, match="the server's own words"):
        talk(registration, f":s {numeric} alice :the server's own words")


def test_a_password_is_not_left_unused() -> None:
    for lines in (
        [":s CAP * LS :multi-prefix"],
        [":s 001 alice :Welcome"],
        [":s CAP * LS :sasl", ":s CAP * NAK :sasl"],
    ):
        with pytest.raises(ConnectionLost, match="not connected without your login"):
            talk(registering(password="x"), *lines)
    with pytest.raises(AuthFailed, match="EXTERNAL"):
        talk(registering(password="x"), ":s CAP * LS :sasl=EXTERNAL")


def test_a_refused_set_is_asked_for_again_without_the_rest() -> None:
    registration = registering(password="x")
    answers = talk(registration, ":s CAP * LS :batch sasl", ":s CAP * NAK :batch sasl", ":s CAP * ACK :sasl")
    assert answers == ["CAP REQ :batch sasl", "CAP REQ :sasl", "AUTHENTICATE PLAIN"]
    assert talk(registering(), ":s CAP * LS :batch", ":s CAP * NAK :batch") == ["CAP REQ :batch", "CAP END"]


def test_a_nick_in_use() -> None:
    with pytest.raises(ConnectionLost, match="alice: Nickname is already in use") as caught:
        talk(registering(), ":s 433 * alice :Nickname is already in use")
    assert caught.value.reason is Reason.CONFLICT


def test_a_nick_in_use_that_is_worth_trying() -> None:
    registration = registering(persistent=True)
    in_use = [f":s 433 * alice{'_' * count} :in use" for count in range(3)]
    assert talk(registration, *in_use) == ["NICK alice_", "NICK alice__", "NICK alice___"]
    with pytest.raises(ConnectionLost):
        talk(registration, *in_use, *in_use)


def test_a_nick_that_the_server_cannot_read() -> None:
    registration = registering(nick="Zoë")
    assert talk(registration, ":s 432 * Zoë :Erroneous Nickname") == ["NICK Zo_"]
    with pytest.raises(AuthFailed, match="Zo_: Erroneous Nickname"):
        talk(registration, ":s 432 * Zo_ :Erroneous Nickname")


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(Identity("alice", password="secret", server_password="secret"))
