"""Whatever clients send, the gateway answers or is silent: nothing raises, nothing goes out that is no XML,
and it goes on working. The choices are random, but the same each time."""

from __future__ import annotations

import logging
import random

import pytest

from tests.xmpp_rooms.stage import ADMIN, DOMAIN, LAPTOP, MAM, MUC, OWNER, PHONE, ROOM, RSM, USER, Stage

SUBMIT = f"<query xmlns='{MAM[1:-1]}'><x xmlns='jabber:x:data'>{{}}</x></query>"
ADDRESSES = [
    ROOM,
    f"{ROOM}/Alice",
    f"{ROOM}/Bob",
    f"{ROOM}/Nobody",
    f"#o%x.example@{DOMAIN}/Al",
    DOMAIN,
    f"{DOMAIN}/r",
    f"x.example@{DOMAIN}",
    f"bob%x.example@{DOMAIN}",
    f"bob%x.example@{DOMAIN}/r",
    f"nonsense@{DOMAIN}",
    f"%x.example@{DOMAIN}",
    f"#%x.example@{DOMAIN}",
    f"\\40\\20\\27%x.example@{DOMAIN}",
    f"🎉%x.example@{DOMAIN}/🎉",
]
WORDS = [
    "",
    "x",
    "/me ",
    "/mode",
    "/",
    "&lt;b/&gt;",
    "&#13;&#10;",
    "é🎉",
    "?OTR",
    "1",
    "-1",
    "99999999999999999999",
]
CHILDREN = [
    "<body>{}</body>",
    "<subject>{}</subject>",
    "<thread>{}</thread>",
    "<origin-id xmlns='urn:xmpp:sid:0' id='{}'/>",
    "<replace xmlns='urn:xmpp:message-correct:0' id='{}'/>",
    "<request xmlns='urn:xmpp:receipts'/>",
    "<received xmlns='urn:xmpp:receipts' id='{}'/>",
    "<displayed xmlns='urn:xmpp:chat-markers:0' id='{}'/>",
    "<received xmlns='urn:xmpp:chat-markers:0' id='{}'/>",
    "<gone xmlns='http://jabber.org/protocol/chatstates'/>",
    "<reply xmlns='urn:xmpp:reply:0' to='{}' id='{}'/>",
    "<reactions xmlns='urn:xmpp:reactions:0' id='{}'/>",
    "<retract xmlns='urn:xmpp:message-retract:1' id='{}'/>",
    "<x xmlns='jabber:x:oob'><url>{}</url></x>",
    f"<x xmlns='{USER[1:-1]}'><invite to='{{}}'/></x>",
    f"<x xmlns='{USER[1:-1]}'><decline/></x>",
    f"<x xmlns='jabber:x:conference' jid='{ROOM}'/>",
    "<x xmlns='jabber:x:conference' jid='{}'/>",
    "<encryption xmlns='urn:xmpp:eme:0'/>",
    "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    f"<x xmlns='{MUC[1:-1]}'><history maxstanzas='{{}}' since='{{}}'/></x>",
    "<show>{}</show>",
    f"<x xmlns='{MUC[1:-1]}'><password>{{}}</password></x>",
]
TYPES = {
    "message": ["chat", "groupchat", "normal", "error", "headline", "odd"],
    "presence": [
        "",
        "unavailable",
        "subscribe",
        "subscribed",
        "unsubscribe",
        "unsubscribed",
        "probe",
        "error",
    ],
}
REQUESTS = [
    f"<query xmlns='{ADMIN[1:-1]}'><item nick='{{}}' role='{{}}'/></query>",
    f"<query xmlns='{ADMIN[1:-1]}'><item jid='{{}}' affiliation='none'/></query>",
    f"<query xmlns='{ADMIN[1:-1]}'/>",
    f"<query xmlns='{OWNER[1:-1]}'/>",
    "<ping xmlns='urn:xmpp:ping'/>",
    f"<query xmlns='{OWNER[1:-1]}'><x xmlns='jabber:x:data' type='submit'/></query>",
    f"<query xmlns='{MAM[1:-1]}'><set xmlns='{RSM[1:-1]}'><max>{{}}</max><after>{{}}</after></set></query>",
    SUBMIT.format("<field var='{}'><value>{}</value></field>"),
    SUBMIT.format("<field var='start'><value>{}</value></field>"),
    f"<metadata xmlns='{MAM[1:-1]}'/>",
]


@pytest.mark.parametrize("seed", range(4))
async def test_anything(stage: Stage, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(seed)

    def filled(template: str) -> str:
        return template.format(*(chance.choice([*WORDS, *ADDRESSES]) for _ in range(3)))

    await stage.join()
    for number in range(400):
        name = chance.choice(["message", "message", "presence", "iq"])
        sender, to = chance.choice([PHONE, PHONE, LAPTOP, "eve@example.test/x"]), chance.choice(ADDRESSES)
        head = f"<{name} from='{sender}' to='{to}' id='{chance.choice(['', f'h{number}'])}'"
        if name == "iq":
            inner = filled(chance.choice(REQUESTS))
            stage.send(f"{head} type='{chance.choice(['get', 'set'])}'>{inner}</iq>")
            continue
        kind = chance.choice(TYPES[name])
        inner = "".join(filled(one) for one in chance.sample(CHILDREN, chance.randrange(4)))
        stage.send(f"{head}{f' type={kind!r}' if kind else ''}>{inner}</{name}>")
        if number % 50 == 0:
            await stage.settled()
    await stage.settled()
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
    await stage.join()
