"""The life in the demo's channel: a small IRC bot that greets, answers, and now and then says something."""

from __future__ import annotations

import itertools
import random
import re
import time

from tests.peers.irc_client import IrcClient, connect

NICK = "rose"
CHANNEL = "#garden"
TOPIC = "A garden on IRC, seen from XMPP. Say hello, or help."
QUIET_SECONDS = 40.0

_JOKES = (
    "There are 10 kinds of gardeners: those who count in binary and those who don't.",
    "Why did the packet cross the bridge? It had no route to the other side.",
    "I planted a linked list. It grew in one direction only.",
    "A TCP joke: did you get it? ... did you get it? ... ah, you got it.",
)
_REMARKS = (
    "The tomatoes say that the weather is fine.",
    "Somebody left the gate open, and in came a whole protocol.",
    "I counted the bees: there are as many as yesterday, plus one.",
    "\x02Note to self:\x02 water the netsplit before it dries out.",
    "Quiet here. Good for the roses.",
    "Did you know that this channel is as old as the demo?",
)
_JOIN = re.compile(r"^:([^!\s]+)!\S* JOIN :?(\S+)")
_SAID = re.compile(r"^:([^!\s]+)!\S* PRIVMSG (\S+) :(.*)$")
_WORD = re.compile(r"[a-z']+")


class Bot:
    """Knows what to say; `run` says it until it is cancelled or the server goes away."""

    def __init__(self, client: IrcClient) -> None:
        self._client = client
        self._jokes = itertools.cycle(random.sample(_JOKES, len(_JOKES)))
        self._remarks = itertools.cycle(random.sample(_REMARKS, len(_REMARKS)))
        self._company: set[str] = set()

    async def run(self) -> None:
        """Live in the channel. Raises ConnectionError when the IRC server is gone."""
        while True:
            try:
                line = await self._client.wait_for(lambda _: True, seconds=QUIET_SECONDS)
            except AssertionError:
                if self._client.closed:
                    raise ConnectionError("the IRC server closed the bot's connection") from None
                if self._company:
                    self._say(next(self._remarks))
                continue
            self._heed(line)

    def _heed(self, line: str) -> None:
        if (joined := _JOIN.match(line)) and joined[1] != NICK:
            self._company.add(joined[1])
            self._say(f"Welcome to the garden, {joined[1]}! Say hello, or help.")
        elif said := _SAID.match(line):
            nick, target, text = said.groups()
            if answer := self.answer(nick, text, private=target == NICK):
                self._client.say(nick if target == NICK else CHANNEL, answer)
        elif left := re.match(r"^:([^!\s]+)!\S* (?:PART|QUIT)", line):
            self._company.discard(left[1])

    def _say(self, text: str) -> None:
        self._client.say(CHANNEL, text)

    def answer(self, nick: str, text: str, *, private: bool = False) -> str | None:
        """What the bot says to a line, or None when it was not meant."""
        if text.startswith("\x01"):
            return None
        if wanted := re.match(r"\s*say\s+(.+)", text, re.IGNORECASE):
            return f"{nick}, you said: {wanted[1]}"
        words = set(_WORD.findall(text.lower()))
        if words & {"help", "commands"}:
            return "I know: hello, time, joke, say SOMETHING, help. All of it in private, too."
        if "time" in words:
            return f"It is {time.strftime('%H:%M:%S')} in the garden."
        if words & {"joke", "jokes"}:
            return next(self._jokes)
        if words & {"hello", "hi", "hey", "hallo", "moin"}:
            return f"Hello {nick}! The flowers have been asking for you."
        if private or NICK in words:
            return f"That is beyond a {NICK}, {nick}. Try: help"
        return None


async def bot_in_channel(port: int) -> tuple[IrcClient, Bot]:
    """A bot that has joined the channel (and, being the first, is its operator)."""
    client = await connect(port, NICK)
    await client.join(CHANNEL)
    client.send(f"TOPIC {CHANNEL} :{TOPIC}")
    await client.sync()
    return client, Bot(client)
