"""What clients ask of rooms: kicks and ranks (XEP-0045 §8-§10), the form, pings (XEP-0410), and the archive
(XEP-0313)."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bridge.api import (
    Command,
    Content,
    KickOccupant,
    MessageId,
    MessageReceived,
    OccupantId,
    Outcome,
    Rank,
    Reason,
    Refused,
    RoomChat,
    RoomId,
    Sent,
    SetRank,
)
from tests.xmpp_rooms.stage import (
    ADMIN,
    ALICE,
    DOMAIN,
    IN,
    LAPTOP,
    MAM,
    OCCUPANT_ID,
    OWNER,
    PHONE,
    ROOM,
    RSM,
    SID,
    Stage,
    error,
)

C = RoomId("#c")
PING = "<ping xmlns='urn:xmpp:ping'/>"


def admin(item: str) -> str:
    return f"<query xmlns='{ADMIN[1:-1]}'><item {item}</query>"


# -- standing


async def test_a_kick(stage: Stage) -> None:
    await stage.join()
    answer = await stage.ask(admin("nick='Bob' role='none'><reason>out</reason></item>"), "set", ROOM)
    assert answer.get("type") == "result"
    assert await stage.command(KickOccupant) == KickOccupant(C, OccupantId("Bob"), "out")


@pytest.mark.parametrize(
    ("who", "asked", "rank"),
    [
        ("nick='Bob'", "affiliation='owner'", Rank.OWNER),
        ("nick='Bob'", "affiliation='admin'", Rank.ADMIN),
        ("nick='Carol'", "role='moderator'", Rank.MODERATOR),
        ("nick='Bob'", "affiliation='member'", Rank.MEMBER),
        ("nick='Bob'", "affiliation='none'", Rank.NONE),
        (f"jid='bob%x.example@{DOMAIN}'", "affiliation='none'", Rank.NONE),
        (f"jid='{ROOM}/Bob'", "affiliation='none'", Rank.NONE),
        (f"jid='{ALICE}'", "role='participant'", Rank.MEMBER),
    ],
)
async def test_a_change_of_rank(stage: Stage, who: str, asked: str, rank: Rank) -> None:
    await stage.join()
    answer = await stage.ask(admin(f"{who} {asked}/>"), "set", ROOM)
    assert answer.get("type") == "result"
    changed = await stage.command(SetRank)
    assert isinstance(changed, SetRank)
    assert changed.rank is rank


@pytest.mark.parametrize(
    ("item", "condition"),
    [
        ("nick='Nobody' role='none'/>", "item-not-found"),
        ("nick='Bob' affiliation='outcast'/>", "not-allowed"),
        ("nick='Bob' role='visitor'/>", "not-allowed"),
        ("nick='Bob' role='participant'/>", "not-allowed"),
        ("nick='Bob' role='king'/>", "bad-request"),
        ("nick='Bob'/>", "bad-request"),
        ("jid='@@' role='none'/>", "jid-malformed"),
    ],
)
async def test_changes_that_cannot_be(stage: Stage, item: str, condition: str) -> None:
    await stage.join()
    assert error(await stage.ask(admin(item), "set", ROOM))[1] == condition


async def test_the_network_says_no(stage: Stage) -> None:
    def answer(command: Command) -> Outcome:
        return Refused(Reason.FORBIDDEN, "Only for ops") if isinstance(command, KickOccupant) else Sent()

    await stage.join()
    stage.village.answer = answer
    refused = await stage.ask(admin("nick='Bob' role='none'/>"), "set", ROOM)
    assert error(refused) == ("auth", "forbidden", "Only for ops")


async def test_nothing_from_outside(stage: Stage) -> None:
    await stage.join()
    for kind in ("get", "set"):
        asked = await stage.ask(admin("nick='Bob' role='none'/>"), kind, ROOM, LAPTOP)
        assert error(asked)[1] == "not-acceptable"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("affiliation='admin'/>", ["Bob"]),
        ("affiliation='member'/>", ["Carol", "Alice"]),
        ("affiliation='outcast'/>", []),
        ("role='moderator'/>", ["Bob", "Alice"]),
        ("role='participant'/>", ["Carol"]),
    ],
)
async def test_lists(stage: Stage, asked: str, names: list[str]) -> None:
    await stage.join()
    answer = await stage.ask(admin(asked), "get", ROOM)
    items = answer.findall(f"{ADMIN}query/{ADMIN}item")
    assert [one.get("nick") for one in items] == names
    assert all(one.get("jid") for one in items)


async def test_the_form(stage: Stage) -> None:
    await stage.join()
    data = "{jabber:x:data}"
    query = f"<query xmlns='{OWNER[1:-1]}'/>"

    def value(answer: ET.Element) -> str | None:
        fields = answer.iterfind(f"{OWNER}query/{data}x/{data}field")
        return next(one.findtext(f"{data}value") for one in fields if one.get("var") == "persistent")

    def form(kind: str, inner: str = "") -> str:
        return f"<query xmlns='{OWNER[1:-1]}'><x xmlns='jabber:x:data' type='{kind}'>{inner}</x></query>"

    field = "<field var='persistent'><value>{}</value></field>"
    assert value(await stage.ask(query, "get", ROOM)) == "false"
    assert (await stage.ask(form("submit", field.format(1)), "set", ROOM)).get("type") == "result"
    assert value(await stage.ask(query, "get", ROOM)) == "true"
    assert (await stage.ask(form("cancel", field.format(0)), "set", ROOM)).get("type") == "result"
    assert value(await stage.ask(query, "get", ROOM)) == "true"
    assert (await stage.ask(form("submit", field.format(0)), "set", ROOM)).get("type") == "result"
    assert value(await stage.ask(query, "get", ROOM)) == "false"
    assert error(await stage.ask(form("submit", field.format("x")), "set", ROOM))[1] == "not-acceptable"
    destroy = f"<query xmlns='{OWNER[1:-1]}'><destroy/></query>"
    assert error(await stage.ask(destroy, "set", ROOM))[1] == "not-allowed"
    assert error(await stage.ask(query, "set", ROOM))[1] == "bad-request"


# -- pings


@pytest.mark.parametrize(
    ("to", "sender", "condition"),
    [
        (f"{ROOM}/Alice", PHONE, ""),
        (f"{ROOM}/Alice", LAPTOP, "not-acceptable"),
        (f"{ROOM}/Bob", PHONE, ""),
        (f"{ROOM}/Carol", PHONE, "item-not-found"),
        (f"{ROOM}/Nobody", PHONE, "item-not-found"),
        (f"#other%x.example@{DOMAIN}/Alice", PHONE, "not-acceptable"),
        (ROOM, PHONE, ""),
    ],
)
async def test_pings(stage: Stage, to: str, sender: str, condition: str) -> None:
    await stage.join()
    answer = await stage.ask(PING, "get", to, sender)
    assert answer.get("from") == to
    if condition:
        assert error(answer)[1] == condition
    else:
        assert answer.get("type") == "result"


# -- the archive


async def talked(stage: Stage, *words: str) -> list[str]:
    """Have Bob say these; returns the archive ids."""
    ids = []
    for word in words:
        stage.session.emit(MessageReceived(RoomChat(C), OccupantId("Bob"), MessageId(""), Content(word)))
        heard = await stage.next("message")
        found = heard.find(SID + "stanza-id")
        assert found is not None
        ids.append(found.get("id") or "")
    return ids


def field(name: str, *values: str) -> str:
    inner = "".join(f"<value>{value}</value>" for value in values)
    return f"<field var='{name}'>{inner}</field>"


def query(fields: str = "", rsm: str = "", more: str = "") -> str:
    form = (
        f"<x xmlns='jabber:x:data' type='submit'>{field('FORM_TYPE', MAM[1:-1])}{fields}</x>"
        if fields
        else ""
    )
    page = f"<set xmlns='{RSM[1:-1]}'>{rsm}</set>" if rsm else ""
    return f"<query xmlns='{MAM[1:-1]}' queryid='f27'>{form}{page}{more}</query>"


async def archive(stage: Stage, asked: str) -> tuple[list[ET.Element], ET.Element]:
    """The `<result/>`s that came before the `<fin/>`, and that."""
    answer = await stage.ask(asked, "set", ROOM)
    assert answer.get("type") == "result", ET.tostring(answer)
    results = [one.find(MAM + "result") for one in stage.wire.sent if one.find(MAM + "result") is not None]
    stage.wire.sent.clear()
    fin = answer.find(MAM + "fin")
    assert fin is not None
    return [one for one in results if one is not None], fin


def bodies(results: list[ET.Element]) -> list[str | None]:
    return [
        one.findtext("{urn:xmpp:forward:0}forwarded/{jabber:client}message/{jabber:client}body")
        for one in results
    ]


async def test_the_whole_archive(stage: Stage) -> None:
    await stage.join()
    ids = await talked(stage, "one", "two", "three")
    results, fin = await archive(stage, query())
    assert bodies(results) == ["one", "two", "three"]
    assert [one.get("id") for one in results] == ids
    assert {one.get("queryid") for one in results} == {"f27"}
    forwarded = results[0].find("{urn:xmpp:forward:0}forwarded")
    assert forwarded is not None
    inner = forwarded.find("{jabber:client}message")
    assert inner is not None
    assert (inner.get("from"), inner.get("type"), inner.get("to")) == (f"{ROOM}/Bob", "groupchat", None)
    assert inner.find(OCCUPANT_ID) is not None
    assert forwarded.find("{urn:xmpp:delay}delay") is not None
    assert (fin.get("complete"), fin.get("stable")) == ("true", "true")
    rsm = fin.find(RSM + "set")
    assert rsm is not None
    assert (rsm.findtext(RSM + "first"), rsm.findtext(RSM + "last")) == (ids[0], ids[2])
    assert rsm.find(RSM + "first").get("index") == "0"  # type: ignore[union-attr]
    assert rsm.findtext(RSM + "count") == "3"


@pytest.mark.parametrize(
    ("fields", "rsm", "expected", "complete"),
    [
        ("", "<max>2</max>", [0, 1], False),
        ("", "<max>2</max><after>{1}</after>", [2, 3], True),
        ("", "<max>2</max><before/>", [2, 3], False),
        ("", "<max>2</max><before>{2}</before>", [0, 1], True),
        ("", "<before>{1}</before>", [0], True),
        ("", "<after>{3}</after>", [], True),
        (field("after-id", "{0}"), "", [1, 2, 3], True),
        (field("before-id", "{3}"), "<max>2</max>", [0, 1], False),
        (field("after-id", "{0}") + field("before-id", "{3}"), "<max>1</max><before/>", [2], False),
        (field("ids", "{1}", "{3}"), "", [1, 3], True),
        (field("start", "2099-01-01T00:00:00Z"), "", [], True),
        (field("end", "1999-01-01T00:00:00Z"), "", [], True),
        (field("start", "1999-01-01T00:00:00Z"), "", [0, 1, 2, 3], True),
        (field("with", f"{ROOM}/Bob"), "", [0, 1, 2, 3], True),
        (field("with", f"bob%x.example@{DOMAIN}"), "", [0, 1, 2, 3], True),
        (field("with", f"{ROOM}/Carol"), "", [], True),
        (field("with", "stranger@example.test"), "", [], True),
    ],
)
async def test_pages(stage: Stage, fields: str, rsm: str, expected: list[int], complete: bool) -> None:
    await stage.join()
    ids = await talked(stage, "0", "1", "2", "3")
    results, fin = await archive(stage, query(fields.format(*ids), rsm.format(*ids)))
    assert bodies(results) == [str(one) for one in expected]
    assert (fin.get("complete") == "true") == complete


async def test_a_flipped_page(stage: Stage) -> None:
    await stage.join()
    ids = await talked(stage, "0", "1", "2")
    results, fin = await archive(stage, query(more="<flip-page/>"))
    assert bodies(results) == ["2", "1", "0"]
    assert fin.findtext(f"{RSM}set/{RSM}first") == ids[0]


async def test_only_counting(stage: Stage) -> None:
    await stage.join()
    await talked(stage, "0", "1", "2")
    results, fin = await archive(stage, query(rsm="<max>0</max>"))
    assert results == []
    assert fin.get("complete") is None
    assert fin.findtext(f"{RSM}set/{RSM}count") == "3"


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        (query(rsm="<after>12</after>"), "item-not-found"),
        (query(rsm="<before>nonsense</before>"), "item-not-found"),
        (query(field("after-id", "12")), "item-not-found"),
        (query(field("ids", "12")), "item-not-found"),
        (query(field("start", "yesterday")), "bad-request"),
        (query(field("colour", "red")), "feature-not-implemented"),
        (query(rsm="<max>x</max>"), "bad-request"),
        (query(rsm="<index>3</index>"), "feature-not-implemented"),
        (query(field("with", "@@")), "jid-malformed"),
    ],
)
async def test_bad_queries(stage: Stage, asked: str, condition: str) -> None:
    await stage.join()
    await talked(stage, "0")
    assert error(await stage.ask(asked, "set", ROOM))[1] == condition


async def test_an_archive_is_ones_own(stage: Stage) -> None:
    await stage.join()
    await talked(stage, "secret")
    answer = await stage.ask(query(), "set", ROOM, "eve@example.test/x")
    assert answer.find(MAM + "fin").get("complete") == "true"  # type: ignore[union-attr]
    assert not any(one.find(MAM + "result") is not None for one in stage.wire.sent)


async def test_fields_and_bounds(stage: Stage) -> None:
    await stage.join()
    bounds = f"<metadata xmlns='{MAM[1:-1]}'/>"
    empty = (await stage.ask(bounds, "get", ROOM)).find(MAM + "metadata")
    assert empty is not None
    assert len(empty) == 0
    ids = await talked(stage, "0", "1", "2")
    known = (await stage.ask(bounds, "get", ROOM)).find(MAM + "metadata")
    assert known is not None
    assert [one.get("id") for one in known] == [ids[0], ids[2]]
    form = await stage.ask(f"<query xmlns='{MAM[1:-1]}'/>", "get", ROOM)
    data = "{jabber:x:data}"
    names = {one.get("var") for one in form.iterfind(f"{MAM}query/{data}x/{data}field")}
    assert names == {"FORM_TYPE", "with", "start", "end", "before-id", "after-id", "ids"}
    assert (await stage.ask(query(), "set", f"bob%x.example@{DOMAIN}")).find(IN + "error") is not None
