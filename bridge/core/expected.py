"""Network ids that reports name and nobody knows yet: a report may overtake the answer to its message."""

from __future__ import annotations

import asyncio

from bridge.api import AccountId, MessageId

MOST = 10_000
"""So many reports wait at once: then the one that waits longest is given up."""

Waiting = asyncio.Future[bool]
"""Whether the id is known now; False: it was given up."""


class Expected:
    """Who waits for an id. Only an attempt that is under way can make one known, so nobody waits for longer
    than the attempts of their account last that had begun before: what is handed over later was not reported
    yet."""

    def __init__(self) -> None:
        self._begun = 0
        self._attempts: dict[AccountId, dict[int, None]] = {}
        self._waiting: dict[AccountId, dict[MessageId, list[Waiting]]] = {}
        self._order: dict[Waiting, tuple[AccountId, MessageId, int]] = {}

    def __len__(self) -> int:
        return len(self._order)

    def begin(self, account: AccountId) -> int:
        """A message is about to be handed to the network. Returns what to `end`."""
        self._begun += 1
        self._attempts.setdefault(account, {})[self._begun] = None
        return self._begun

    def end(self, account: AccountId, attempt: int) -> None:
        """That attempt is over, and the ids that it brought are known. Those who waited for it, or for older
        ones, are given up."""
        attempts = self._attempts[account]
        del attempts[attempt]
        if not attempts:
            del self._attempts[account]
            for waiting in self._waiting.pop(account, {}).values():
                self._answer(waiting, known=False)
        elif account in self._waiting:
            self._give_up(account, next(iter(attempts)))

    def _give_up(self, account: AccountId, oldest: int) -> None:
        """Who began to wait before the oldest attempt began; they are in the order of that."""
        over = []
        for waiting in self._waiting[account].values():
            if self._order[waiting[0]][2] >= oldest:
                break
            over += [each for each in waiting if self._order[each][2] < oldest]
        for each in over:
            self.forget(each)
            if not each.done():
                each.set_result(False)

    def expect(self, account: AccountId, message_id: MessageId) -> Waiting | None:
        """Wait for an id, until `forget`. None: nothing is under way that could bring it."""
        if account not in self._attempts:
            return None
        if len(self._order) >= MOST:
            oldest = next(iter(self._order))
            self.forget(oldest)
            oldest.set_result(False)
        waiting: Waiting = asyncio.get_running_loop().create_future()
        self._order[waiting] = account, message_id, self._begun
        self._waiting.setdefault(account, {}).setdefault(message_id, []).append(waiting)
        return waiting

    def forget(self, waiting: Waiting) -> None:
        """Nobody waits for that any more."""
        place = self._order.pop(waiting, None)
        if place is None:
            return
        account, message_id, _ = place
        same = self._waiting[account][message_id]
        same.remove(waiting)
        if not same:
            del self._waiting[account][message_id]
            if not self._waiting[account]:
                del self._waiting[account]

    def known(self, account: AccountId, message_id: MessageId) -> None:
        """An id is known from now on."""
        ids = self._waiting.get(account)
        if ids is None or message_id not in ids:
            return
        self._answer(ids.pop(message_id), known=True)
        if not ids:
            del self._waiting[account]

    def _answer(self, waiting: list[Waiting], *, known: bool) -> None:
        for each in waiting:
            del self._order[each]
            if not each.done():
                each.set_result(known)
