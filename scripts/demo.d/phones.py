"""The rest of the world's phones: they show what comes to them, and rose answers on hers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import re
import time
from collections.abc import AsyncIterator, Callable

from phone import delivery
from terminal import boxed

from tests.peers.smsc import Event, PhoneNetwork, Smsc, phone_network

ROSE, AS_SHOWN = "+12025550143", "+1 202-555-0143"
FIRST = "Hi Alice, it's Rose, on my phone. I'm in the garden, come round!"
TYPING_SECONDS = 0.7
RECEIPT_MS = 300
TEXT_SECONDS = 60.0

_JOKES = (
    "I bought a mobile phone for the garden. It has no bars, but a good fence.",
    "Why did the text come in two parts? It had a lot to carry across the bridge.",
    "My phone is in flight mode. The bees are jealous.",
)
_REMARKS = (
    "I have my hands full of earth. Tell me more!",
    "Noted, on the back of a seed packet.",
    "Let me ask the tomatoes, and text you back.",
    "Sounds good. Bring a watering can?",
)
_WORD = re.compile(r"[a-z']+")


class Rose:
    """Knows what rose answers to a text."""

    def __init__(self) -> None:
        self._jokes = itertools.cycle(random.sample(_JOKES, len(_JOKES)))
        self._remarks = itertools.cycle(random.sample(_REMARKS, len(_REMARKS)))

    def answer(self, text: str) -> str:
        """Always something."""
        words = set(_WORD.findall(text.lower()))
        if words & {"hello", "hi", "hey", "hallo", "moin"}:
            return "Hello! Texting from a chat, how modern."
        if "time" in words or "when" in words:
            return f"My phone says {time.strftime('%H:%M')}. Tea is at five."
        if words & {"joke", "jokes"}:
            return next(self._jokes)
        if words & {"bye", "goodbye", "ciao"}:
            return "See you in the garden!"
        if counted := re.search(r"\d+", text):
            return f"{counted[0]}? I would have said {int(counted[0][:9]) + 1}."
        return next(self._remarks)


class Phones:
    """All phones but alice's. `came` are the texts that they got; `tell` is given each as text, and that its
    receipt went back."""

    def __init__(self, network: PhoneNetwork, control_port: int, tell: Callable[[str], object]) -> None:
        self.came: list[Event] = []
        self.control_port = control_port
        self._network = network
        self._tell = tell
        self._rose = Rose()
        self._parts: dict[str, list[str]] = {}
        self._unreported: list[tuple[str, list[str]]] = []
        self._news = asyncio.Event()

    async def live(self) -> None:
        """Rose sends a first text, and then answers; until cancelled."""
        await self._network.rule(reports=[{"ms": RECEIPT_MS}])
        await self._network.deliver(delivery(FIRST, ROSE))
        async with asyncio.TaskGroup() as answers:
            while True:
                for event in await self._network.news():
                    self._heed(event, answers)

    def _heed(self, event: Event, answers: asyncio.TaskGroup) -> None:
        if event["event"] == "submit" and event["status"] == 0:
            self._parts.setdefault(event["pdu"]["destination_addr"], []).append(event["id"])
        elif event["event"] == "text":
            self._arrived(event)
            if f"+{event['to']}" == ROSE:
                answers.create_task(self._answer(event["text"]))
        elif event["event"] == "answer" and "receipt" in event:
            self._reported(event["receipt"])

    def _arrived(self, text: Event) -> None:
        self.came.append(text)
        who = "rose" if f"+{text['to']}" == ROSE else "somebody"
        title = f"a text reached the phone +{text['to']} ({who}), from +{text['from']}"
        self._tell(boxed(title, text["text"].splitlines()))
        self._unreported.append((text["to"], self._parts.pop(text["to"], [])))
        self._news.set()

    def _reported(self, id_: str) -> None:
        """The bridge has a receipt: of one part, of which a text may have several."""
        for number, parts in self._unreported:
            if id_ in parts:
                parts.remove(id_)
                if not parts:
                    self._tell(f"  the phone +{number} has acknowledged it: its receipt went back\n")
        self._unreported = [each for each in self._unreported if each[1]]

    async def _answer(self, text: str) -> None:
        await asyncio.sleep(TYPING_SECONDS)
        await self._network.deliver(delivery(self._rose.answer(text), ROSE))

    async def got(self, text: str) -> Event:
        """The first text with these words, once a phone has it. Raises AssertionError when none gets it."""
        try:
            async with asyncio.timeout(TEXT_SECONDS):
                while True:
                    self._news.clear()
                    for came in self.came:
                        if text in came["text"]:
                            return came
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no text with {text!r} in {TEXT_SECONDS:g} s, but: {self.came}") from None


@contextlib.asynccontextmanager
async def running_phones(smsc: Smsc, tell: Callable[[str], object]) -> AsyncIterator[Phones]:
    """The phones behind a message centre, gone after the block."""
    async with phone_network(smsc) as network:
        yield Phones(network, smsc.control_port, tell)
