"""Nothing is lost and nothing doubled, whatever breaks."""

from __future__ import annotations

import asyncio
import random

import pytest

from backends.sms.http import missed
from backends.sms.http.carrier import TwilioCarrier
from backends.sms.http.client import Client
from backends.sms.http.missed import Missed, begin
from backends.sms.http.rest import Rest
from backends.sms.http.webhooks import Webhooks
from backends.sms.values import Outgoing
from bridge.api import ContactId, Later, Outcome, Sent, Unknown
from bridge.testing.fake_host import FakeHost
from tests.peers.twilio import Account, Behaviour, Twilio
from tests.sms.http.conftest import EXTERNAL, NUMBER, PHONE, running
from tests.sms.http.desk import SmallDesk

pytestmark = pytest.mark.heavy

TEXTS = 500


async def test_500_texts_in_while_everything_breaks(
    provider: Twilio,
    account: Account,
    carrier: TwilioCarrier,
    desk: SmallDesk,
    host: FakeHost,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = random.Random(5)
    await begin(host, NUMBER)
    waiting = [f"text {number}" for number in range(TEXTS)]
    answers: list[int] = []

    async def people() -> None:
        while waiting:
            called = await provider.text(PHONE, NUMBER, waiting.pop())
            answers.append(called.status)
            if chance.random() < 0.2:  # a webhook that is called again though it was answered
                sid = chance.choice(list(provider.messages))
                body = provider.messages[sid]["body"]
                await provider.text(PHONE, NUMBER, body, sid=sid)

    async def the_database() -> None:
        while True:
            desk.out = not desk.out
            await asyncio.sleep(chance.uniform(0.005, 0.03))

    texting = [asyncio.create_task(people()) for _ in range(8)]
    breaking = asyncio.create_task(the_database())
    while not all(each.done() for each in texting):
        hooks = Webhooks("127.0.0.1", 0, EXTERNAL)
        hooks.add(carrier.line)
        async with running(hooks, desk):  # killed, and started again
            provider.reach[EXTERNAL] = f"http://127.0.0.1:{hooks.port}/hooks"
            await asyncio.wait(texting, timeout=chance.uniform(0.02, 0.2))
    await asyncio.gather(*texting)
    breaking.cancel()
    desk.out = False
    assert {200, 503} <= set(answers)

    client = Client(host, str(provider.ca_file))
    monkeypatch.setattr(missed, "SETTLED", -missed.SETTLED)
    await Missed(carrier.line, Rest(carrier.line.access, client)).look(desk)
    await client.close()
    assert sorted(each.text for each in desk.texts) == sorted(f"text {number}" for number in range(TEXTS))


async def test_500_texts_out_while_the_provider_breaks(provider: Twilio, carrier: TwilioCarrier) -> None:
    chance = random.Random(6)
    troubles = [
        Behaviour(made=True, abort=True),
        Behaviour(made=False, abort=True),
        Behaviour(made=True, status=500),
        Behaviour(made=False, status=503),
        Behaviour(made=False, status=429, code=20429),
        Behaviour(made=True, body="{"),
        Behaviour(),
    ]
    provider.next = [chance.choice(troubles) for _ in range(TEXTS)]

    async def send(text: str) -> Outcome:
        """As the core does it: again only where it is certain that nothing was sent."""
        while True:
            outcome = await carrier.send(Outgoing(NUMBER, ContactId(PHONE), text, text))
            if not isinstance(outcome, Later):
                return outcome

    texts = [f"text {number}" for number in range(TEXTS)]
    outcomes = dict(zip(texts, await asyncio.gather(*map(send, texts)), strict=True))
    got = provider.phones[PHONE]
    assert len(got) == len(set(got))
    assert {text for text, outcome in outcomes.items() if isinstance(outcome, Sent)} <= set(got)
    lost = set(texts) - set(got)
    assert lost
    assert all(isinstance(outcomes[text], Unknown) for text in lost)
    kinds = {type(outcome) for outcome in outcomes.values()}
    assert kinds == {Sent, Unknown}
