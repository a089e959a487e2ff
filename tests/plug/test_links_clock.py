"""The clock jumps while people talk both ways: nothing stops, nothing bursts, the archive keeps its order and
says the true time."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from glob import glob
from pathlib import Path

import pytest

from tests.e2e.scene import Scene, archive, until
from tests.peers.bridge import DOMAIN, Bridge, BridgeSetup, network
from tests.peers.daemon import PeerFailed, running, scratch
from tests.peers.inspircd import Inspircd
from tests.peers.prosody import Prosody
from tests.peers.xmpp_client import XmppClient
from tests.plug.talk import (
    LIMITS,
    FromIrc,
    FromXmpp,
    arrived,
    doubled,
    failed,
    healthy,
    heard,
    received,
    reflected,
)

pytestmark = pytest.mark.heavy

HOUR = 3600
NEAR = timedelta(minutes=5)
MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"


class ClockedBridge(Bridge):
    """A bridge whose wall clock a file sets; the monotonic clock goes on as it does on a real machine."""

    @property
    def clock_file(self) -> Path:
        return self.folder / "clock"

    def environment(self) -> dict[str, str]:
        found = glob("/usr/lib/*/faketime/libfaketime.so.1")
        if not found:
            raise PeerFailed("libfaketime is not installed (scripts/test installs it)")
        return {
            **super().environment(),
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
            "FAKETIME_NO_CACHE": "1",
            "NO_FAKE_STAT": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """Be so far from the true time from now on."""
        new = self.clock_file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        os.replace(new, self.clock_file)


@pytest.fixture(scope="module")
def bridge(prosody: Prosody, inspircd: Inspircd) -> Iterator[ClockedBridge]:
    networks = network("tls", inspircd.tls_port, tls="required", ca_file=inspircd.ca_file)
    with scratch("bridge") as folder:
        process = ClockedBridge(folder, prosody, BridgeSetup(networks=networks, extra=LIMITS))
        process.jump(0)
        with running(process):
            yield process


@pytest.fixture
async def scene(bridge: Bridge, prosody: Prosody, inspircd: Inspircd) -> AsyncIterator[Scene]:
    async with contextlib.AsyncExitStack() as stack:
        scene = Scene(prosody, bridge, inspircd, 900)
        stack.push_async_callback(scene.close)
        yield scene


async def stamps(client: XmppClient, room: str, start: datetime) -> dict[str, datetime]:
    """The newest hundred messages of the archive, from a time on, and when they were said."""
    form = (
        f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{MAM}</value></field>"
        f"<field var='start'><value>{start:%Y-%m-%dT%H:%M:%SZ}</value></field></x>"
    )
    page = f"<set xmlns='{RSM}'><max>100</max><before/></set>"
    before = len(client.stanzas)
    fin = await client.iq(room, f"<query xmlns='{MAM}'>{form}{page}</query>", "set", 30)
    assert fin["type"] == "result", str(fin)
    found: dict[str, datetime] = {}
    for stanza in client.stanzas[before:]:
        for forwarded in stanza.xml.iter("{urn:xmpp:forward:0}forwarded"):
            stamp = forwarded.find("{urn:xmpp:delay}delay")
            assert stamp is not None
            text = forwarded.findtext(".//{jabber:client}body") or ""
            found[text] = datetime.fromisoformat(stamp.get("stamp", ""))
    return found


async def at(client: XmppClient, jump: int) -> datetime:
    """Wait until the bridge's clock (XEP-0202) is so far from the true one; its time then."""
    async with asyncio.timeout(30):
        while True:
            answer = await client.iq(DOMAIN, "<time xmlns='urn:xmpp:time'/>", seconds=30)
            now = datetime.fromisoformat(answer.xml.findtext(".//{urn:xmpp:time}utc") or "")
            if abs(now - datetime.now(UTC) - timedelta(seconds=jump)) < NEAR:
                return now


async def uptime(client: XmppClient) -> int:
    answer = await client.iq(DOMAIN, "<query xmlns='jabber:iq:last'/>")
    return int(answer.xml[0].get("seconds", "-1"))


async def test_the_clock_jumps_while_all_talk(scene: Scene, bridge: ClockedBridge) -> None:
    alice, bob, carol = await asyncio.gather(scene.on_xmpp(), scene.on_irc("bob"), scene.on_irc("carol"))
    await scene.join(alice)
    links, online = bridge.link_count(), bridge.log_text().count("session online")
    from_xmpp = FromXmpp(scene, alice, scene.puppet(bob.nick))
    from_irc = FromIrc(scene, carol, scene.nick)
    for jump in (HOUR, 25 * HOUR, 24 * HOUR, -HOUR, 0):
        bridge.jump(jump)
        now = await at(alice, jump)
        await asyncio.gather(from_xmpp.go_on(20), from_irc.go_on(20))
        from_xmpp.silent = from_irc.silent = True  # so that the newest hundred stay the newest
        probe = from_irc.say(scene.channel, from_irc.room, "ir")
        await arrived(alice, probe)
        when = await stamps(alice, scene.room, now)
        from_xmpp.silent = from_irc.silent = False
        # What the IRC server says of the time goes before our own clock, where that is ahead.
        wrong = min(abs(when[probe] - now), abs(when[probe] - datetime.now(UTC)))
        assert wrong < NEAR, f"{probe}, said at {now}, has the time {when[probe]}"
    assert 0 <= await uptime(alice) < 300
    await asyncio.gather(from_xmpp.stop(), from_irc.stop())
    await arrived(alice, list(from_xmpp.room.values())[-1])
    await arrived(alice, from_irc.room[-1])
    await arrived(alice, from_irc.direct[-1])
    assert not failed(alice)
    assert reflected(alice, scene.room) == list(from_xmpp.room)
    assert heard([bob], "xr") == list(from_xmpp.room.values())
    await until(lambda: len(heard([bob], "xd")) >= len(from_xmpp.direct), "the private messages on IRC")
    assert heard([bob], "xd") == list(from_xmpp.direct.values())
    assert received(alice, scene.puppet(carol.nick), "id") == from_irc.direct
    kept = await archive(alice, scene.room)
    assert [text for text in kept if text.startswith("ir ")] == from_irc.room
    assert not doubled(kept)
    assert (bridge.link_count(), bridge.log_text().count("session online")) == (links, online)
    await healthy(scene, bob)
