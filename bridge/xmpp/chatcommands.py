"""Knows the commands as chat messages to the gateway, for clients that show no other way to use it.

Arguments may stand on the line (`disconnect irc.example.org Good night`, `nick=alice`); what is missing is
asked for, one answer at a time. Each user's messages are answered one after the other."""

from __future__ import annotations

import asyncio
import difflib
import logging
import os
from collections import deque
from collections.abc import Callable

from bridge.api import BackendError
from bridge.xmpp.commands.catalogue import Catalogue
from bridge.xmpp.commands.dialogue import Dialogue
from bridge.xmpp.commands.model import Access, Ask, Command, CommandFailed, Context, Done, Step
from bridge.xmpp.features import Kind
from bridge.xmpp.iqs import StanzaError
from bridge.xmpp.jids import bare
from bridge.xmpp.received import InMessage

__all__ = ["ChatCommands"]

log = logging.getLogger(__name__)

DIALOGUE_SECONDS = 3600.0
STEP_SECONDS = 90.0
WAITING = 20
"""How many messages of one user may wait for their answer."""
DIALOGUES = 10_000

STALE = "Your dialogue has expired, begin again."


class _Bucket:
    """How many messages a user may send now."""

    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at


class ChatCommands:
    """Answers chat messages to one gateway's JID. `say` sends a text from it to a full JID, `clock` is in
    seconds; a user may send `burst` messages at once and `rate` a second."""

    def __init__(
        self,
        catalogue: Catalogue,
        say: Callable[[str, str], None],
        clock: Callable[[], float],
        *,
        burst: int = 20,
        rate: float = 1.0,
    ) -> None:
        self._catalogue = catalogue
        self._say = say
        self._clock = clock
        self._burst = burst
        self._rate = rate
        self._buckets: dict[str, _Bucket] = {}
        self._dialogues: dict[str, tuple[Dialogue, float]] = {}
        self._waiting: dict[str, deque[tuple[str, str]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, message: InMessage) -> None:
        """Take a message to the gateway that can be read. Raises StanzaError like `receive`."""
        if message.body and message.type in ("chat", "normal"):
            self.receive(message.sender, message.body)

    def receive(self, resource: str, text: str) -> None:
        """Take a message of a user's full JID; the answer goes out through `say`.

        Raises StanzaError (wait) for more than a person types: the caller answers with that error.
        """
        user = bare(resource)
        self._count(user)
        waiting = self._waiting.get(user)
        if waiting is not None and len(waiting) >= WAITING:
            raise StanzaError("wait", "resource-constraint", "Wait for the answers to what you said before.")
        if waiting is not None:
            waiting.append((resource, text))
            return
        self._waiting[user] = deque([(resource, text)])
        task = asyncio.get_running_loop().create_task(self._work(user))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def answer(self, resource: str, text: str) -> str:
        """The answer to one message, as text."""
        text = text.strip()
        dialogue, began = self._dialogues.pop(resource, (None, 0.0))
        if dialogue is None:
            return await self._begin(resource, text)
        if self._clock() - began > DIALOGUE_SECONDS:
            return STALE
        if text.lower() == "cancel":
            return "Cancelled."
        complaint = dialogue.take(text)
        if complaint or not dialogue.complete:
            self._keep(resource, dialogue)
            return "\n".join(part for part in (complaint, dialogue.question()) if part)
        return await self._submit(resource, dialogue, "")

    # -- below

    def _count(self, user: str) -> None:
        now = self._clock()
        bucket = self._buckets.get(user)
        if bucket is None:
            if len(self._buckets) >= DIALOGUES:
                self._buckets.clear()
            bucket = self._buckets[user] = _Bucket(self._burst, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.tokens < 1:
            raise StanzaError("wait", "policy-violation", "That is too fast: wait a moment.")
        bucket.tokens -= 1

    async def _work(self, user: str) -> None:
        waiting = self._waiting[user]
        try:
            while waiting:
                resource, text = waiting[0]
                self._say(resource, await self._safely(resource, text))
                waiting.popleft()
        finally:
            del self._waiting[user]

    async def _safely(self, resource: str, text: str) -> str:
        try:
            async with asyncio.timeout(STEP_SECONDS):
                return await self.answer(resource, text)
        except TimeoutError:
            return "That took too long. It may have been done or not: see `status`."
        except Exception:
            case = os.urandom(4).hex()
            log.exception("a chat command of %s failed (case %s)", bare(resource), case)
            return f"The gateway failed (its admin finds it in the log as case {case})."

    async def _begin(self, resource: str, text: str) -> str:
        word, _, line = text.partition(" ")
        word = word.lstrip("/!").lower()
        context = await self._catalogue.context(resource, Kind.GATEWAY, chat=True)
        if word == "cancel":
            return "There is nothing to cancel."
        command = next((one for one in context.commands if one.node == word), None)
        if command is None:
            return self._unknown(word, context)
        try:
            step = await command.run(context)
        except (CommandFailed, BackendError) as error:
            return str(error)
        return await self._next(resource, step, line.strip())

    def _unknown(self, word: str, context: Context) -> str:
        hidden: Command | None = self._catalogue.find(word, Kind.GATEWAY)
        if hidden is not None:
            if hidden.access is Access.ADMIN:
                return f"“{word}” is for the gateway's admins."
            return f"“{word}” is for those who are registered: say “register” first."
        near = difflib.get_close_matches(word, [command.node for command in context.commands], 1, 0.5)
        guess = f" Did you mean “{near[0]}”?" if near else ""
        return f"I do not know “{word[:40]}”.{guess} Say “help” for what I know."

    async def _next(self, resource: str, step: Step, line: str) -> str:
        if isinstance(step, Done):
            return step.text
        return await self._ask(resource, step, line)

    async def _ask(self, resource: str, ask: Ask, line: str) -> str:
        dialogue = Dialogue(ask)
        complaint, rest = dialogue.take_line(line)
        if not complaint and dialogue.complete:
            return await self._submit(resource, dialogue, rest)
        self._keep(resource, dialogue)
        return "\n".join(part for part in (complaint, dialogue.introduction(), dialogue.question()) if part)

    async def _submit(self, resource: str, dialogue: Dialogue, line: str) -> str:
        try:
            step = await dialogue.submit()
        except CommandFailed as error:
            if not error.again:
                return str(error) + dialogue.warning()
            dialogue.again(error.field)
            self._keep(resource, dialogue)
            return f"{error}{dialogue.warning()}\n{dialogue.question()}"
        except BackendError as error:
            return str(error) + dialogue.warning()
        return dialogue.warning(before=True) + await self._next(resource, step, line)

    def _keep(self, resource: str, dialogue: Dialogue) -> None:
        now = self._clock()
        self._dialogues[resource] = (dialogue, now)
        if len(self._dialogues) > DIALOGUES:
            del self._dialogues[next(iter(self._dialogues))]
