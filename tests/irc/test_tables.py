"""The pure parts, as tables: case mapping, ISUPPORT, modes, throttle, names, raw lines, CTCP, stamps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.irc import ctcp
from backends.irc.casemap import fold_for
from backends.irc.channels import Channels
from backends.irc.isupport import Isupport, rank_of
from backends.irc.modes import ModeChange, parse_modes, rank_change
from backends.irc.names import classic_nick, is_nick, is_target, tidy_nick
from backends.irc.raw import raw_line
from backends.irc.stamps import Stamps
from backends.irc.throttle import Limit, Throttle
from bridge.api import Rank


def isupport(*tokens: str) -> Isupport:
    made = Isupport()
    made.learn(tokens)
    return made


FULL = isupport(
    "PREFIX=(qaohv)~&@%+", "CHANMODES=beI,k,lf,imnpst", "CHANTYPES=#&+", "CASEMAPPING=ascii", "NICKLEN=30",
    "TOPICLEN=307", "CHANNELLEN=64", "MODES=4", "NETWORK=Example\\x20Net", "STATUSMSG=@+", "LINELEN=2048",
)  # fmt: skip


@pytest.mark.parametrize(
    ("mapping", "name", "folded"),
    [
        ("ascii", "#Foo[]\\~", "#foo[]\\~"),
        ("rfc1459", "#Foo[]\\~", "#foo{}|^"),
        ("strict-rfc1459", "#Foo[]\\~", "#foo{}|~"),
        ("RFC1459", "ÄB", "Äb"),
        ("rfc8265", "Ab[", "ab["),
    ],
)
def test_casemap(mapping: str, name: str, folded: str) -> None:
    assert fold_for(mapping)(name) == folded


def test_isupport() -> None:
    assert (FULL.prefix_modes, FULL.prefix_marks) == ("qaohv", "~&@%+")
    assert FULL.chanmodes == ("beI", "k", "lf", "imnpst")
    assert (FULL.nicklen, FULL.topiclen, FULL.channellen, FULL.modes) == (30, 307, 64, 4)
    assert (FULL.network, FULL.statusmsg, FULL.linelen) == ("Example Net", "@+", 2048)
    assert FULL.is_channel("+x")
    assert not FULL.is_channel("x")
    assert not FULL.is_channel("")


@pytest.mark.parametrize(
    "token",
    ["TARGMAX=A:x", "PREFIX=(ov", "PREFIX=(ov)@", "CHANMODES=a", "NICKLEN=", "NICKLEN=x", "NICKLEN=²",
     "MODES", "CHANTYPES=abc", "CHANTYPES=% ", "=", "", "-", "-NICKLEN", "-PREFIX", "NETWORK=\\xzz",
     "LINELEN=99999999999"],
)  # fmt: skip
def test_odd_tokens_change_nothing(token: str) -> None:
    odd = isupport(token)
    assert (odd.prefix_modes, odd.chantypes, odd.nicklen, odd.linelen) == ("ov", "#&", 0, 512)


def test_a_token_can_be_taken_back() -> None:
    assert isupport("NICKLEN=30", "-NICKLEN").nicklen == 0


def test_no_prefixes_at_all() -> None:
    assert isupport("PREFIX=").split_marks("@x") == ("", "@x")


@given(st.lists(st.text()))
def test_isupport_takes_anything(tokens: list[str]) -> None:
    made = isupport(*tokens)
    assert made.fold("A") == "a"
    made.split_marks("@+nick")


@pytest.mark.parametrize(
    ("entry", "modes", "rest"),
    [("nick", "", "nick"), ("@+nick", "ov", "nick"), ("+@nick", "ov", "nick"), ("~nick!u@h", "q", "nick!u@h"),
     ("@", "o", "")],
)  # fmt: skip
def test_names_entries(entry: str, modes: str, rest: str) -> None:
    assert FULL.split_marks(entry) == (modes, rest)


@pytest.mark.parametrize(
    ("modes", "rank"),
    [("", Rank.NONE), ("v", Rank.MEMBER), ("h", Rank.MODERATOR), ("ov", Rank.ADMIN), ("ao", Rank.OWNER),
     ("q", Rank.OWNER), ("Y", Rank.NONE)],
)  # fmt: skip
def test_ranks(modes: str, rank: Rank) -> None:
    assert rank_of(modes) is rank


NICKS = st.sampled_from(["bob", "Bob", "eve", "{x}", "[X]"])
ENTRIES = st.builds(
    lambda marks, nick, mask: marks + nick + mask,
    st.sampled_from(["", "@", "@+", "+"]),
    st.one_of(NICKS, st.text("ab!@+ ", max_size=4)),
    st.sampled_from(["", "!u@h", "!v@i"]),
)


@given(st.lists(st.lists(ENTRIES, max_size=6).map(" ".join), max_size=4), st.sampled_from(["", "bob"]))
def test_names_that_are_read_once_are_as_if_each_came_alone(replies: list[str], there: str) -> None:
    """However the entries are spread over lines, and whoever was seen to join before."""
    one_by_one, at_once = Channels(Isupport()), Channels(Isupport())
    for channels, lines in ((at_once, replies), (one_by_one, " ".join(replies).split(" "))):
        channel = channels.enter("#c")
        if there:
            channels.add(channel, there, real="seen@join", stable="account")
        for line in lines:
            channels.add_names(channel, line)
    first, second = one_by_one.get("#c"), at_once.get("#c")
    assert first is not None
    assert second is not None
    assert list(second.members.items()) == list(first.members.items())
    assert second.modes == first.modes


@pytest.mark.parametrize(
    ("params", "changes"),
    [
        (["+v-o", "N", "M"], [("+", "v", "N"), ("-", "o", "M")]),
        (["+bl-l", "*!*@x", "5"], [("+", "b", "*!*@x"), ("+", "l", "5"), ("-", "l", "")]),
        (["-k+i", "key"], [("-", "k", "key"), ("+", "i", "")]),
        (["+o"], [("+", "o", "")]),
        (["n"], [("+", "n", "")]),
        ([], []),
    ],
)
def test_mode_strings(params: list[str], changes: list[tuple[str, str, str]]) -> None:
    expected = [ModeChange(sign == "+", mode, argument) for sign, mode, argument in changes]
    assert list(parse_modes(params, FULL)) == expected


@pytest.mark.parametrize(
    ("has", "rank", "params"),
    [
        ("", Rank.OWNER, ("+a", "N")),
        ("q", Rank.OWNER, ("+a-q", "N", "N")),
        ("", Rank.ADMIN, ("+o", "N")),
        ("qa", Rank.ADMIN, ("+o-aq", "N", "N", "N")),
        ("o", Rank.MODERATOR, ("+h-o", "N", "N")),
        ("o", Rank.MEMBER, ("+v-o", "N", "N")),
        ("ov", Rank.MEMBER, ("-o", "N")),
        ("ohv", Rank.NONE, ("-vho", "N", "N", "N")),
        ("", Rank.NONE, None),
        ("v", Rank.MEMBER, None),
    ],
)
def test_rank_changes(has: str, rank: Rank, params: tuple[str, ...] | None) -> None:
    assert rank_change("N", has, rank, FULL) == ([params] if params else [])


def test_a_server_may_take_few_modes_at_once() -> None:
    few = isupport("PREFIX=(qaohv)~&@%+", "MODES=2")
    assert rank_change("N", "qaohv", Rank.NONE, few) == [("-vh", "N", "N"), ("-oa", "N", "N"), ("-q", "N")]


def test_a_rank_that_the_server_has_not() -> None:
    assert rank_change("N", "", Rank.OWNER, Isupport()) is None
    assert rank_change("N", "", Rank.MODERATOR, Isupport()) is None


def test_throttle() -> None:
    throttle = Throttle(2, 1.0)
    assert [throttle.wait(100.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert throttle.wait(100.5) == pytest.approx(0.5)
    assert throttle.wait(101.0) == 0.0
    assert throttle.wait(1000.0) == 0.0
    assert throttle.wait(1000.0) == 0.0
    assert throttle.wait(1000.0) > 0


def test_throttle_of_nothing_and_without_end() -> None:
    waiting = Throttle(0, 1.0)
    assert waiting.wait(100.0) == 1.0
    assert waiting.wait(101.0) == 0.0
    assert not any(Throttle(-1, 1.0).wait(100.0) for _ in range(100))
    limit = Limit(2, 10.0)
    assert [limit.allows(at) for at in (100.0, 100.0, 100.0, 105.0, 105.0)] == [
        True,
        True,
        False,
        True,
        False,
    ]


@given(st.floats(0.1, 50), st.integers(1, 20), st.lists(st.floats(0, 3), max_size=60))
def test_throttle_never_exceeds_its_rate(rate: float, burst: int, gaps: list[float]) -> None:
    throttle, now, went = Throttle(burst, rate), 1.0, 0
    for gap in gaps:
        now += gap
        went += throttle.wait(now) == 0.0
    assert went <= burst + (now - 1.0) * rate + 1


@pytest.mark.parametrize(
    ("name", "tidy"),
    [("alice", "alice"), ("Romeo Montague", "Romeo_Montague"), ("1st", "_1st"), ("", "user"), ("a@b", "a_b"),
     ("#x", "_x"), ("Zoë", "Zoë"), ("x" * 99, "x" * 30), ("a\r\nQUIT", "a__QUIT")],
)  # fmt: skip
def test_nicks(name: str, tidy: str) -> None:
    assert tidy_nick(name) == tidy


@given(st.text())
def test_a_made_nick_is_a_nick(name: str) -> None:
    assert is_nick(tidy_nick(name))
    assert is_nick(classic_nick(name))


@given(st.text())
def test_a_target_is_one_parameter(name: str) -> None:
    if is_target(name):
        assert not set(name) & set(" ,\r\n\0")
        assert name[0] != ":"


@pytest.mark.parametrize(
    ("text", "room", "line"),
    [
        ("whois nick", None, "WHOIS nick"),
        ("/whois nick", None, "WHOIS nick"),
        ("mode +v nick", "#c", "MODE #c +v nick"),
        ("mode #d +v nick", "#c", "MODE #d +v nick"),
        ("mode", "#c", "MODE #c"),
        ("topic hello there", "#c", "TOPIC #c :hello there"),
        ("topic", "#c", "TOPIC #c"),
        ("kick nick go away", "#c", "KICK #c nick :go away"),
        ("kick nick", "#c", "KICK #c nick"),
        ("topic :as is it", "#c", "TOPIC #c :as is it"),
        ("whois nick", "#c", "WHOIS nick"),
        ("", None, None),
        ("  ", None, None),
        ("a\r\nQUIT", None, None),
        ("a\nb", "#c", None),
    ],
)
def test_raw_lines(text: str, room: str | None, line: str | None) -> None:
    assert raw_line(text, room, FULL) == line


@pytest.mark.parametrize(
    ("text", "found"),
    [("\x01ACTION waves\x01", ("ACTION", "waves")), ("\x01version\x01", ("VERSION", "")),
     ("\x01PING 1 2", ("PING", "1 2")), ("\x01\x01", None), ("\x01", None), ("hello", None), ("", None)],
)  # fmt: skip
def test_ctcp(text: str, found: tuple[str, str] | None) -> None:
    assert ctcp.parse(text) == found


@given(st.text())
def test_ctcp_there_and_back(text: str) -> None:
    assert not set(ctcp.build("ACTION", text)[1:-1]) & set("\x01\r\n\0")


@pytest.mark.parametrize(
    ("tag", "always", "at"),
    [
        ("2026-01-01T11:59:55.000Z", False, None),
        ("2026-01-01T11:59:55.000Z", True, datetime(2026, 1, 1, 11, 59, 55, tzinfo=UTC)),
        ("2026-01-01T11:59:40.500Z", False, datetime(2026, 1, 1, 11, 59, 40, 500_000, tzinfo=UTC)),
        ("2025-01-01T00:00:00", False, datetime(2025, 1, 1, tzinfo=UTC)),
        ("2027-01-01T00:00:00Z", False, None),
        ("", False, None),
        ("not a time", True, None),
    ],
)
def test_stamps(tag: str, always: bool, at: datetime | None) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
    assert Stamps(lambda: now).sent_at(tag, always=always) == at
