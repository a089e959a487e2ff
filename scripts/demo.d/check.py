"""The demo's check: a message goes from the real page to IRC, and the answer is seen in the page; a mail is
shown in the page, and answered there; and so is a text."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

import mail
import phone
from bot import NICK
from outside import Outside
from phones import AS_SHOWN, FIRST, ROSE, Phones

from tests.peers.converse import ConversePage, open_converse
from tests.peers.daemon import RUNNING
from tests.peers.irc_client import IrcClient, irc_client

WITNESS = "carol"


class CheckFailed(Exception):
    """What did not happen, with what the page showed and the servers logged."""


@dataclass
class Scene:
    """What the check is about."""

    url: str
    irc_port: int
    channel: str
    mail_port: int
    outside: Outside
    phones: Phones


async def check(scene: Scene, screenshot: Path | None = None) -> None:
    """Exchange messages, mails and texts both ways through the page. Raises CheckFailed."""
    try:
        async with irc_client(scene.irc_port, WITNESS) as witness:
            await witness.join(scene.channel)
            async with open_converse(scene.url) as page:
                try:
                    await _exchange(page, witness, scene.channel)
                    await _write(page, scene.mail_port, scene.outside)
                    await _text(page, scene.phones)
                finally:
                    if screenshot is not None:
                        await page.screenshot(screenshot)
    except AssertionError as failed:
        logs = "\n".join(server.log_tail() for server in RUNNING)
        raise CheckFailed(f"{failed}\n{logs}") from failed


async def _exchange(page: ConversePage, witness: IrcClient, channel: str) -> None:
    await page.wait_room()
    await page.wait_title(f"{channel} on demo")
    for nick in ("alice", NICK, WITNESS):
        await page.wait_occupant(nick)
    await page.wait_message("Welcome to the garden, alice!")
    await page.send("hello")
    await page.wait_message("Hello alice!")
    count = secrets.randbelow(900_000) + 100_000
    await page.send(f"say {count} tulips are in bloom")
    await witness.wait_for(rf"^:alice!\S* PRIVMSG {channel} :say {count} tulips are in bloom$")
    await witness.wait_for(rf"^:{NICK}!\S* PRIVMSG {channel} :alice, you said: {count} tulips are in bloom$")
    await page.wait_message(f"alice, you said: {count} tulips are in bloom")
    witness.say(channel, f"alice: {count}? I counted one more, on plain old IRC.")
    await page.wait_message(f"alice: {count}? I counted one more")


async def _write(page: ConversePage, mail_port: int, outside: Outside) -> None:
    """A mail comes in, and is answered in the chat that it opens."""
    count = secrets.randbelow(900_000) + 100_000
    sent = await asyncio.to_thread(mail.send, mail_port, f"Did you see my {count} tulips?")
    await page.open_chat("Rose Red")
    await page.wait_message(f"Did you see my {count} tulips?")
    await page.send(f"I counted {count}, *all* of them.")
    answer = await outside.got(f"I counted {count}")
    expected = {
        "From": f"Alice <{mail.ALICE}>", "To": mail.ROSE, "Subject": "Re: Tea", "In-Reply-To": sent,
    }  # fmt: skip
    found = {name: str(answer[name]) for name in expected}
    if found != expected:
        raise AssertionError(f"the answer was not as expected: {found}, not {expected}")
    await page.wait_message(f"I counted {count}")


async def _text(page: ConversePage, phones: Phones) -> None:
    """Texts come in. What alice answers reaches the phone, which the page shows, and is answered there."""
    count = secrets.randbelow(900_000) + 100_000
    await asyncio.to_thread(phone.send, phones.control_port, f"There are {count} tulips – and bees.", ROSE)
    await page.open_chat(AS_SHOWN)
    await page.wait_message(FIRST)
    await page.wait_message(f"There are {count} tulips – and bees.")
    await page.send(f"All {count} of them?")
    await phones.got(f"All {count} of them?")
    await page.wait_received(f"All {count} of them?")
    await page.wait_message(f"I would have said {count + 1}.")
