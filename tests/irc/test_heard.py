"""Connections to one network share what they hear in channels; each is told just what it would be told
alone."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from backends.irc import create
from backends.irc.session import IrcSession
from bridge.api import Backend, Event, MessageReceived, Recent
from tests.irc.recording_host import RecordingHost, account_for, options_for
from tests.irc.still_transport import StillTransport, connected_session

NICKS = ("alice", "bob", "Carol[]")
LINES = (
    ":bob!~b@host PRIVMSG #c :hello",
    ":bob!~b@host PRIVMSG #c :hello ",
    ":BOB!~b@host PRIVMSG #c :hello",
    ":dan!~d@host PRIVMSG #c :hello",
    ":dan!~d@host PRIVMSG #C :hello",
    ":dan!~d@host PRIVMSG @#c :for ops",
    ":dan!~d@host PRIVMSG #other :hello",
    ":dan!~d@host PRIVMSG #c :\x02bold\x02 grüße",
    ":dan!~d@host PRIVMSG #c :\x01ACTION waves\x01",
    ":dan!~d@host PRIVMSG #c :\x01VERSION\x01",
    ":dan!~d@host PRIVMSG #c :",
    ":dan!~d@host NOTICE #c :hello",
    ":dan!~d@host PRIVMSG alice :only you",
    ":carol{}!~c@host PRIVMSG #c :mine or not",
    "@msgid=1;time=2020-01-01T00:00:00.000Z :dan!~d@host PRIVMSG #c :long ago",
    "@msgid=2 :dan!~d@host PRIVMSG #c :hello",
    "@msgid=3 :dan!~d@host PRIVMSG #c :hello",
    "@time=2999-01-01T00:00:00.000Z :dan!~d@host PRIVMSG #c :just now",
    ":s BATCH +b1 chathistory #c",
    "@batch=b1;time=2999-01-01T00:00:00.000Z :dan!~d@host PRIVMSG #c :replayed",
    ":s BATCH -b1",
    ":dan!~d@host NICK dave",
    ":alice!~a@host NICK ally",
    ":ally!~a@host NICK alice",
    ":alice!~a@host PRIVMSG #c :hello",
    ":ally!~a@host PRIVMSG #c :hello",
    ":bob!~b@host PART #c",
    ":bob!~b@host JOIN #c",
    ":s 005 alice CASEMAPPING=ascii :are supported",
)


def session_of(backend: Backend, nick: str) -> tuple[IrcSession, RecordingHost]:
    """A connection that is in #c."""
    host = RecordingHost(account_for(nick), {})
    session, _wire = connected_session(backend.open(host.account, host), StillTransport())
    session._link.nick = session._link.wanted_nick = nick
    for line in (
        f":s 005 {nick} STATUSMSG=@ PREFIX=(ov)@+ :are supported",
        f":{nick}!~x@host JOIN #c",
        f":s 353 {nick} = #c :{nick} @dan",
        f":s 366 {nick} #c :End",
    ):
        session.receive(line)
    return session, host


async def told(order: list[tuple[int, str]], *, shared: bool, forgetful: bool = False) -> list[list[Event]]:
    """What each of three connections says when lines come to them in this order; `forgetful` ones remember no
    speaker and no channel from one line to the next."""
    one = create(options_for(1))
    backends = [one if shared else create(options_for(1)) for _ in NICKS]
    async with contextlib.AsyncExitStack() as stack:
        sessions = [session_of(backend, nick) for backend, nick in zip(backends, NICKS, strict=True)]
        for session, _host in sessions:
            stack.enter_context(session._setup.heard.listening())
            stack.callback(session._link.end)
        assert all(session._setup.heard.many == shared for session, _host in sessions)
        for number, line in order:
            if forgetful:
                sessions[number][0]._inbound._talk.forget_chats()
            sessions[number][0].receive(line)
        return [host.events for _session, host in sessions]


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(LINES)), max_size=30))
def test_each_is_told_what_it_would_be_told_alone(order: list[tuple[int, str]]) -> None:
    async def both() -> None:
        assert await told(order, shared=True) == await told(order, shared=False)

    asyncio.run(both())


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(LINES)), max_size=30))
def test_who_is_remembered_is_told_as_one_heard_for_the_first_time(order: list[tuple[int, str]]) -> None:
    async def both() -> None:
        assert await told(order, shared=False) == await told(order, shared=False, forgetful=True)

    asyncio.run(both())


async def test_the_same_value_for_all_but_the_speaker() -> None:
    alice, bob, carol = await told([(number, LINES[0]) for number in range(3)], shared=True)
    assert isinstance(alice[-1], MessageReceived)
    assert alice[-1] is carol[-1]
    assert bob[-1] is not alice[-1]
    assert isinstance(bob[-1], MessageReceived)
    assert bob[-1].own
    assert not alice[-1].own


async def test_what_is_very_long_is_not_kept() -> None:
    long = f"@x={'y' * 4000} :dan!~d@host PRIVMSG #c :hello"
    alice, bob, _carol = await told([(0, long), (1, long)], shared=True)
    assert alice[-1] == bob[-1]
    assert alice[-1] is not bob[-1]


async def test_one_connection_keeps_nothing() -> None:
    heard = create(options_for(1)).open(account_for(), RecordingHost(account_for(), {}))._setup.heard  # type: ignore[attr-defined]
    with heard.listening():
        assert not heard.many
        with heard.listening():
            assert heard.many
    assert not heard.many


async def test_recent_is_bounded_and_forgets() -> None:
    recent: Recent[int, str] = Recent(limit=10, seconds=0.01)
    for number in range(100):
        recent.put(number, "x")
        assert len(recent) <= 20
    assert recent.get(99) == "x"
    assert recent.get(50) is None
    async with asyncio.timeout(5):
        while len(recent):
            await asyncio.sleep(0.005)
    assert recent.get(99) is None
    recent.put(1, "again")
    assert recent.get(1) == "again"
