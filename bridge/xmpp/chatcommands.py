"""Knows the commands as chat messages to the gateway, for clients that show no other way to use it.

Arguments may stand on the line (`disconnect irc.example.org Good night`, `nick=alice`); what is missing is
asked for, one answer at a time, until another command is said instead. What is no command may be meant for
the network. Each user's messages are answered one after the other."""

from __future__ import annotations

import asyncio
import difflib
import logging
import os
from collections import deque
from collections.abc import Callable

from bridge.api import BackendError
from bridge.core.pacing import TokenBucket
from bridge.xmpp.commands.catalogue import Catalogue
from bridge.xmpp.commands.dialogue import Dialogue
from bridge.xmpp.commands.model import Access, Ask, Command, CommandFailed, Context, Done, Step
from bridge.xmpp.entities import refusal
from bridge.xmpp.features import Kind
from bridge.xmpp.iqs import StanzaError
from bridge.xmpp.jids import bare
from bridge.xmpp.received import InMessage

__all__ = ["ChatCommands"]

log = logging.getLogger(__name__)

DIALOGUE_SECONDS = 300.0
"""How long a question waits for its answer."""
STEP_SECONDS = 90.0
WAITING = 20
"""How many messages of one user may wait for their answer."""
DIALOGUES = 10_000

STALE = "Your dialogue has expired, begin again."

Forward = Callable[[str, str, str, str], bool]
"""Hands a line on to the network: from which full JID, the message's id, the text, and what to say if the
network takes no such lines. False: there is nothing to hand it to."""


class ChatCommands:
    """Answers chat messages to one gateway's JID. `say` sends a text from it to a full JID, `clock` is in
    seconds, `forward` takes what is no command; a user may send `burst` messages at once and `rate` a
    second."""

    def __init__(
        self,
        catalogue: Catalogue,
        say: Callable[[str, str], None],
        clock: Callable[[], float],
        *,
        forward: Forward = lambda resource, stanza_id, text, unknown: False,
        burst: int = 20,
        rate: float = 1.0,
    ) -> None:
        self._catalogue = catalogue
        self._say = say
        self._clock = clock
        self._forward = forward
        self._burst = burst
        self._rate = rate
        self._buckets: dict[str, TokenBucket] = {}
        self._dialogues: dict[str, tuple[Dialogue, float]] = {}
        self._waiting: dict[str, deque[tuple[str, str, str]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, message: InMessage) -> None:
        """Take a message to the gateway that can be read. Raises StanzaError like `receive`."""
        if message.body and message.type in ("chat", "normal"):
            self.receive(message.sender, message.body, message.id)

    def receive(self, resource: str, text: str, stanza_id: str = "") -> None:
        """Take a message of a user's full JID; the answer goes out through `say`.

        Raises StanzaError, with which the caller answers: (wait) for more than a person types, (auth) for
        those to whom the gateway is not open.
        """
        user = bare(resource)
        refused = self._catalogue.refused(user)
        if refused is not None:
            raise refusal(refused.reason, refused.text)
        self._count(user)
        waiting = self._waiting.get(user)
        if waiting is not None and len(waiting) >= WAITING:
            raise StanzaError("wait", "resource-constraint", "Wait for the answers to what you said before.")
        if waiting is not None:
            waiting.append((resource, text, stanza_id))
            return
        self._waiting[user] = deque([(resource, text, stanza_id)])
        task = asyncio.get_running_loop().create_task(self._work(user))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def answer(self, resource: str, text: str, stanza_id: str = "") -> str:
        """The answer to one message, as text; "" where the network has to answer it."""
        text = text.strip()
        context = await self._catalogue.context(resource, Kind.GATEWAY, chat=True)
        dialogue, asked = self._dialogues.pop(resource, (None, 0.0))
        if dialogue is None:
            return await self._begin(context, text, stanza_id)
        command, line = _command(context, text)
        if self._clock() - asked > DIALOGUE_SECONDS:
            # what was an answer, perhaps a secret one, must not go to the network now
            return STALE if command is None else await self._run(context, command, line)
        if text.lower() == "cancel":
            return "Cancelled."
        if command is not None and command.node == "help":
            self._keep(resource, dialogue)
            return f"{dialogue.explanation()}\n{dialogue.question()}"
        if command is not None:
            return f"“{dialogue.title}” was left unfinished.\n{await self._run(context, command, line)}"
        return await self._answered(resource, dialogue, text)

    # -- below

    async def _answered(self, resource: str, dialogue: Dialogue, text: str) -> str:
        complaint = dialogue.take(text)
        if complaint or not dialogue.complete:
            self._keep(resource, dialogue)
            return "\n".join(part for part in (complaint, dialogue.question()) if part)
        return await self._submit(resource, dialogue, "")

    def _count(self, user: str) -> None:
        now = self._clock()
        bucket = self._buckets.get(user)
        if bucket is None:
            if len(self._buckets) >= DIALOGUES:
                self._buckets.clear()
            bucket = self._buckets[user] = TokenBucket(self._burst, self._rate, now)
        if bucket.take(now) > 0:
            raise StanzaError("wait", "policy-violation", "That is too fast: wait a moment.")

    async def _work(self, user: str) -> None:
        waiting = self._waiting[user]
        try:
            while waiting:
                resource, text, stanza_id = waiting[0]
                said = await self._safely(resource, text, stanza_id)
                if said:
                    self._say(resource, said)
                waiting.popleft()
        finally:
            del self._waiting[user]

    async def _safely(self, resource: str, text: str, stanza_id: str) -> str:
        try:
            async with asyncio.timeout(STEP_SECONDS):
                return await self.answer(resource, text, stanza_id)
        except TimeoutError:
            return "That took too long. It may have been done or not: see `status`."
        except Exception:
            case = os.urandom(4).hex()
            log.exception("a chat command of %s failed (case %s)", bare(resource), case)
            return f"The gateway failed (its admin finds it in the log as case {case})."

    async def _begin(self, context: Context, text: str, stanza_id: str) -> str:
        command, line = _command(context, text)
        if command is not None:
            return await self._run(context, command, line)
        word = _word(text)
        if word == "cancel":
            return "There is nothing to cancel."
        unknown = self._unknown(word, context)
        ours = self._catalogue.find(word, Kind.GATEWAY) is not None
        if not ours and self._forward(context.resource, stanza_id, text, unknown):
            return ""
        return unknown

    async def _run(self, context: Context, command: Command, line: str) -> str:
        try:
            step = await command.run(context)
        except (CommandFailed, BackendError) as error:
            return str(error)
        return await self._next(context.resource, step, line)

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


def _word(text: str) -> str:
    """The command that a message would begin with."""
    return text.partition(" ")[0].lstrip("/!").lower()


def _command(context: Context, text: str) -> tuple[Command | None, str]:
    """The command that a message calls, and the rest of its line."""
    word = _word(text)
    found = next((one for one in context.commands if one.node == word), None)
    return found, text.partition(" ")[2].strip()
