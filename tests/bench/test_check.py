"""The bench's own judges: what came out wrong is found, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench import check
from bench.ends import Catch, WrongCount
from bench.work import ROOM, irc_lines, person, text, user

SENDER = f"{ROOM}/{person(0)}"
Change = Callable[[list[str]], object]


def stanza(number: int, to: str = user(), sender: str = SENDER) -> str:
    body = text(number).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return (
        f"<message from='{sender}' id='{number}' to=\"{to}\" type='groupchat'><body>{body}</body></message>"
    )


def joined(stanzas: list[str]) -> bytes:
    return "<presence/><iq id='a' type='get'/>".join(stanzas).encode()


def swap(items: list[str]) -> None:
    items[2], items[3] = items[3], items[2]


WRONG: dict[str, Change] = {
    "missing": lambda items: items.pop(2),
    "missing at the end": lambda items: items.pop(),
    "doubled": lambda items: items.insert(2, items[2]),
    "doubled at the end": lambda items: items.append(items[-1]),
    "swapped": swap,
    "not escaped": lambda items: items.__setitem__(1, items[1].replace("&lt;", "<")),
    "escaped twice": lambda items: items.__setitem__(1, items[1].replace("&lt;", "&amp;lt;")),
    "harmed": lambda items: items.__setitem__(1, items[1].replace("ü", "u")),
    "to somebody else": lambda items: items.__setitem__(1, stanza(1, user(7))),
    "from somebody else": lambda items: items.__setitem__(1, stanza(1, sender=f"{ROOM}/other")),
    "more than asked for": lambda items: items.append(stanza(5)),
}


def test_messages_as_they_should_be() -> None:
    users = [user(0), user(1)]
    each = [stanza(number, jid) for number in range(5) for jid in users]
    check.messages(joined(each), users, SENDER, 5)


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_wrong_messages_are_found(change: Change) -> None:
    items = [stanza(number) for number in range(5)]
    change(items)
    with pytest.raises(WrongCount):
        check.messages(joined(items), [user()], SENDER, 5)


def test_one_user_of_two_who_gets_less_is_found() -> None:
    items = [stanza(number, jid) for number in range(5) for jid in (user(0), user(1))][:-1]
    with pytest.raises(WrongCount, match="not all 5"):
        check.messages(joined(items), [user(0), user(1)], SENDER, 5)


@pytest.mark.parametrize(
    "name", ["missing", "missing at the end", "doubled", "doubled at the end", "swapped"]
)
def test_wrong_lines_are_found(name: str) -> None:
    lines = irc_lines("#bench", range(5)).decode().replace(f":{person(0)}!u@host.bench ", "")
    check.lines(lines.encode(), "#bench", 5)
    items = lines.splitlines(keepends=True)
    WRONG[name](items)
    with pytest.raises(WrongCount):
        check.lines("".join(items).encode(), "#bench", 5)


def test_a_line_to_another_channel_is_found() -> None:
    with pytest.raises(WrongCount):
        check.lines(f"PRIVMSG #other :{text(0)}\r\n".encode(), "#bench", 1)


def presence(nick: str, status: str = "") -> str:
    return f"<presence from='{ROOM}/{nick}' to='{user()}'><x>{status}</x></presence>"


OWN = presence("me", "<status code='110'/>")


@pytest.mark.parametrize(
    "shown",
    [
        [presence(person(0)), OWN],
        [presence(person(0)), presence(person(1)), presence(person(1)), OWN],
        [presence(person(0)), OWN, presence(person(1))],
        [presence(person(0)), presence(person(1)), presence("me")],
        [],
    ],
    ids=["one missing", "one twice", "one after the own", "no status 110", "nothing"],
)
def test_wrong_presences_are_found(shown: list[str]) -> None:
    right = [presence(person(0)), presence(person(1)), OWN]
    check.presences("".join(right).encode(), {user(): "me"}, 2)
    with pytest.raises(WrongCount):
        check.presences("".join(shown).encode(), {user(): "me"}, 2)


@pytest.mark.parametrize("size", [1, 2, 5, 9, 10, 11, 1000])
async def test_what_comes_in_pieces_is_counted_once(size: int) -> None:
    data = joined([stanza(number) for number in range(4)])
    catch = Catch(b"</message>", 4)
    for at in range(0, len(data), size):
        assert not catch.done.is_set()
        catch.take(data[at : at + size])
    assert catch.seen == 4
    assert catch.done.is_set()
    assert catch.data() == data
    times = check.arrivals(catch, b"</message>")
    assert len(times) == 4
    assert times == sorted(times)
    assert times[-1] == catch.finished
