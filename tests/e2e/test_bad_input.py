"""Stanzas that no sane client sends: each has an outcome that its sender can see, and harms nothing else."""

from __future__ import annotations

import pytest

from tests.e2e.scene import Scene
from tests.peers.bridge import DOMAIN
from tests.peers.irc_client import IrcClient
from tests.peers.xmpp_client import XmppClient, message
from tests.xmpp_info.xml import error

STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
HUGE = "x" * 200_000
CONDITIONS = (
    "bad-request", "conflict", "feature-not-implemented", "forbidden",
    "not-acceptable", "policy-violation", "resource-constraint", "undefined-condition", "unexpected-request",
)  # fmt: skip
"""Those that do not say that the client is gone."""


class Inside:
    """Alice, in a room with bob from IRC; both are shared by the tests that do no harm."""

    def __init__(self, scene: Scene, alice: XmppClient, bob: IrcClient) -> None:
        self.scene, self.alice, self.bob = scene, alice, bob
        self.links = scene.bridge.link_count()

    def fill(self, xml: str, id_: str) -> str:
        """A template with the addresses of here."""
        scene = self.scene
        for name, value in {
            "ROOM": scene.room, "ME": f"{scene.room}/{scene.nick}", "BOB": scene.puppet(self.bob.nick),
            "INBOB": f"{scene.room}/{self.bob.nick}", "NET": f"tls@{DOMAIN}", "GATE": DOMAIN, "ID": id_,
            "NICK": self.bob.nick,
            "HUGE": HUGE, "ELSEWHERE": scene.room_jid("#elsewhere"),
        }.items():  # fmt: skip
            xml = xml.replace(f"%{name}%", value)
        return xml

    async def control(self) -> None:
        """The stream is the same as before, and talk goes both ways."""
        text = f"control {self.alice.new_id()}"
        self.alice.say(self.scene.room, text, "groupchat")
        await self.alice.wait(message(self.scene.room, text, "groupchat"))
        await self.bob.wait_for(f"PRIVMSG {self.scene.channel} :{text}")
        assert self.scene.bridge.link_count() == self.links
        assert "Traceback" not in self.scene.bridge.log_text()


@pytest.fixture
async def inside(scene: Scene) -> Inside:
    """Alice and bob have met."""
    bob, alice = await scene.on_irc("bob"), await scene.on_xmpp()
    await scene.join(alice)
    return Inside(scene, alice, bob)


GROUPCHAT = "<message to='%ROOM%' type='groupchat' id='%ID%'>"
ADMIN = "<iq to='%ROOM%' type='set' id='%ID%'><query xmlns='http://jabber.org/protocol/muc#admin'>"
MAM = "<iq to='%ROOM%' type='set' id='%ID%'><query xmlns='urn:xmpp:mam:2'>"
RSM = "<set xmlns='http://jabber.org/protocol/rsm'>"

REFUSED = {
    "a body of 200 KB to the room": (GROUPCHAT + "<body>%HUGE%</body></message>", "policy-violation"),
    "a body of 200 KB to somebody": (
        "<message to='%BOB%' type='chat' id='%ID%'><body>%HUGE%</body></message>", "policy-violation",
    ),
    "groupchat to an occupant": (
        "<message to='%INBOB%' type='groupchat' id='%ID%'><body>x</body></message>", "bad-request",
    ),
    "groupchat from outside": (
        "<message to='%ELSEWHERE%' type='groupchat' id='%ID%'><body>x</body></message>", "not-acceptable",
    ),
    "a message to nobody in the room": (
        "<message to='%ROOM%/nobody here' type='chat' id='%ID%'><body>x</body></message>", "item-not-found",
    ),
    "a message to an address that is none": (
        "<message to='%%%@%GATE%' type='chat' id='%ID%'><body>x</body></message>", "item-not-found",
    ),
    "an iq of a namespace that nobody knows": (
        "<iq to='%GATE%' type='get' id='%ID%'><what xmlns='urn:x:nothing'/></iq>", "feature-not-implemented",
    ),
    "an iq to an occupant that nobody knows": (
        "<iq to='%INBOB%' type='set' id='%ID%'><what xmlns='urn:example:nothing'/></iq>",
        "feature-not-implemented",
    ),
    "a rank that does not exist": (
        ADMIN + "<item nick='%NICK%' role='emperor'/></query></iq>", "bad-request",
    ),
    "an admin query without an item": (ADMIN + "</query></iq>", "bad-request"),
    "the kick of nobody": (ADMIN + "<item nick='nobody' role='none'/></query></iq>", "item-not-found"),
    "the archive after an id that is none": (
        MAM + RSM + "<after>no-such-id</after></set></query></iq>", "item-not-found",
    ),
    "the archive of a page size that is none": (
        MAM + RSM + "<max>many</max></set></query></iq>", "bad-request",
    ),
    "the archive since a day that is none": (
        MAM + "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value>"
        "</field><field var='start'><value>yesterday</value></field></x></query></iq>",
        "bad-request",
    ),
    "a form for a register that is broken": (
        "<iq to='%NET%' type='set' id='%ID%'><query xmlns='jabber:iq:register'>"
        "<x xmlns='jabber:x:data' type='submit'><field var='nick'><value>a b</value></field></x>"
        "</query></iq>",
        "not-acceptable",
    ),
}  # fmt: skip
"""name -> what is sent, and the error that answers it"""


async def test_what_cannot_be_done_is_refused_with_its_reason(inside: Inside) -> None:
    wrong = []
    for name, (xml, condition) in REFUSED.items():
        id_ = inside.alice.new_id()
        inside.alice.send(inside.fill(xml, id_))
        answer = await inside.alice.wait(lambda s, id_=id_: s["id"] == id_, what=name)
        if answer["type"] != "error" or error(answer)[1] != condition:
            wrong.append(f"{name}: {condition} expected, got {str(answer)[:500]}")
        await inside.control()
    assert not wrong, "\n".join(wrong)


SILENT = [
    "<message to='%ROOM%' type='groupchat' id='%ID%'/>",
    "<message to='%ROOM%' type='groupchat'><body/></message>",
    "<message to='%BOB%' type='chat' id='%ID%'/>",
    "<message to='%GATE%' id='%ID%'/>",
    "<message to='%ROOM%' type='headline' id='%ID%'/>",
    "<message to='%BOB%' type='chat' id='%ID%'><received xmlns='urn:xmpp:receipts' id='x'/></message>",
    "<presence to='%ROOM%' type='unsubscribed'/>",
    "<presence to='%ROOM%' type='subscribed'/>",
    "<presence to='%BOB%' type='unsubscribed'/>",
    "<presence to='%BOB%' type='unavailable'/>",
    "<presence to='%GATE%' type='probe'/>",
    "<presence to='%ELSEWHERE%/x' type='unavailable'/>",
    "<presence to='%NET%'><show>dnd</show><x xmlns='urn:x:nothing'/></presence>",
    "<presence to='%ME%'><show>away</show><status>%HUGE%</status></presence>",
    "<iq to='%GATE%' type='result' id='%ID%'/>",
    "<iq to='%ROOM%' type='result' id='%ID%'><query xmlns='jabber:iq:roster'/></iq>",
]
"""What needs no answer; none of it is answered with an error."""


async def test_what_means_nothing_does_nothing(inside: Inside) -> None:
    for xml in SILENT:
        id_ = inside.alice.new_id()
        before = len(inside.alice.stanzas)
        inside.alice.send(inside.fill(xml, id_))
        await inside.control()
        errors = [str(one) for one in inside.alice.stanzas[before:] if one["type"] == "error"]
        assert not errors, f"{xml}: {errors}"


def errors(condition: str) -> list[str]:
    """Error stanzas of every kind with a condition, to every kind of address."""
    inner = f"<error type='cancel'><{condition} xmlns='{STANZAS}'/></error>"
    broken = ("<error/>", "", "<error type='what'><no-such-thing xmlns='urn:x'/></error>")
    return [
        f"<{kind} to='%{to}%' type='error' id='%ID%'>{each}</{kind}>"
        for to in ("GATE", "NET", "ROOM", "INBOB", "BOB")
        for kind in ("message", "presence", "iq")
        for each in (inner, *broken)
        if kind != "iq" or each
    ]


async def test_errors_are_never_answered(inside: Inside) -> None:
    before = len(inside.alice.stanzas)
    for condition in CONDITIONS:
        for xml in errors(condition):
            inside.alice.send(inside.fill(xml, inside.alice.new_id()))
        await inside.control()
    answers = [str(one) for one in inside.alice.stanzas[before:] if one["type"] == "error"]
    assert not answers


ODD_TEXTS = (
    "\t tab", "line\u2028separator", "\ufffe\uffff"[:0] + "no\u00adthing", "\u202eright to left", "a\u0085b",
    "👩\u200d👩\u200d👧", "e\u0301" * 50, "\U0001f469" * 200, "]]> &amp; <!-- --> <?x?>", "\u200b", ":", " ",
    "\x7f\x80\x9f", "/me", "/ /", "://",
)  # fmt: skip


async def test_odd_texts_arrive_or_are_refused(inside: Inside) -> None:
    for text in ODD_TEXTS:
        id_ = inside.alice.say(inside.scene.room, text, "groupchat")
        await inside.control()
        answers = [one for one in inside.alice.stanzas if one.name == "message" and one["id"] == id_]
        assert len(answers) == 1, f"{text!r}: {[str(one) for one in answers]}"


ODD_JIDS = (
    "#%", "#%tls", "%tls", "%%tls", "#room%%tls", "!#%tls", "#a,#b%tls", "nick,other%tls", "#%20%tls",
    "#x%TLS",
    "#" + "x" * 900 + "%tls", "a\\20b%tls", "\\5c%tls", "#\\26%tls", "ünï%tls", "#ünï%tls", "*%tls", "$%tls",
    "-x%tls", "0%tls", "tls%", "#x%tls%tls", "#x%-", "#x%localhost", "#x%127.0.0.1", "#x%[", "#x%999999",
)  # fmt: skip
"""The local parts of addresses; the XMPP server lets them through."""


async def test_odd_addresses_are_answered(inside: Inside) -> None:
    alice = inside.alice
    for local in ODD_JIDS:
        to = f"{local}@{DOMAIN}"
        info = await alice.iq(to, "<query xmlns='http://jabber.org/protocol/disco#info'/>", seconds=20)
        assert info["type"] in ("result", "error"), to
        alice.send(f"<presence to='{to}' type='subscribe'/>")
        alice.send(f"<presence to='{to}' type='unsubscribe'/>")
        alice.send(f"<presence to='{to}/nick' type='unavailable'/>")
        alice.send(f"<message to='{to}' type='groupchat' id='{alice.new_id()}'><body>x</body></message>")
    await inside.control()
