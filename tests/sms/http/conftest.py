"""A provider, a route by it, and the bridge's listener."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backends.sms.http.carrier import TwilioCarrier
from backends.sms.http.line import Line
from backends.sms.http.options import TwilioOptions
from backends.sms.http.webhooks import Own, Webhooks
from bridge.api import ConnectionLost, Host
from bridge.testing.fake_host import FakeHost
from tests.peers.twilio import MEDIA_HOST, Account, Twilio, running_twilio
from tests.sms.http.desk import SmallDesk

NUMBER = "+15550001111"
PHONE = "+15552223333"
EXTERNAL = "https://sms.example.org/hooks"


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Twilio]:
    """The provider, without customers."""
    async with running_twilio(tmp_path) as running:
        yield running


@pytest.fixture
def host() -> FakeHost:
    """The host of the user who has `NUMBER`."""
    return FakeHost(endpoints={MEDIA_HOST: "127.0.0.1"})


@pytest.fixture
def desk(host: FakeHost) -> SmallDesk:
    """`NUMBER` is held by `host`, by the route `us`."""
    desk = SmallDesk()
    desk.holders[(NUMBER, "us")] = host
    return desk


@pytest.fixture
def account(provider: Twilio) -> Account:
    """The admin's account: `NUMBER` is its number, and its texts go to the route's webhook."""
    account = provider.add_account(NUMBER)
    account.numbers[NUMBER]["sms_url"] = f"{EXTERNAL}/us/in#rc=5&rp=all"
    return account


@pytest.fixture
def options(provider: Twilio, account: Account, tmp_path: Path) -> TwilioOptions:
    """The route's options."""
    token = tmp_path / "token"
    token.write_text(f"{account.token}\n")
    return TwilioOptions(account.sid, str(token), api=provider.url, ca_file=str(provider.ca_file))


@pytest.fixture
async def carrier(options: TwilioOptions, host: FakeHost) -> AsyncIterator[TwilioCarrier]:
    """The route `us`. It does not run: it fetches nothing."""
    carrier = TwilioCarrier("us", options, host, EXTERNAL)
    yield carrier
    await carrier.close()


@pytest.fixture
def line(carrier: TwilioCarrier) -> Line:
    """The route's receiving side."""
    return carrier.line


@dataclass
class Listening:
    """The bridge's listener, and the hosts of users with accounts of their own, by hook."""

    webhooks: Webhooks
    owners: dict[str, Host] = field(default_factory=dict)
    out: bool = False

    async def own(self, hook: str) -> Host | None:
        if self.out:
            raise ConnectionLost("the database is out")
        return self.owners.get(hook)


@pytest.fixture
async def listening(carrier: TwilioCarrier, provider: Twilio, desk: SmallDesk) -> AsyncIterator[Listening]:
    """The listener, with the route `us`; the provider reaches it."""
    listening = Listening(Webhooks("127.0.0.1", 0, EXTERNAL))
    listening.webhooks.add(carrier.line)
    async with running(
        listening.webhooks, desk, listening.own, provider.url, str(provider.ca_file)
    ) as webhooks:
        provider.reach[EXTERNAL] = f"http://127.0.0.1:{webhooks.port}/hooks"
        yield listening


async def _nobody(hook: str) -> Host | None:
    return None


@contextlib.asynccontextmanager
async def running(
    webhooks: Webhooks, desk: SmallDesk, own: Own = _nobody, own_api: str = "", ca_file: str = ""
) -> AsyncIterator[Webhooks]:
    """A listener that listens."""
    task = asyncio.create_task(webhooks.run(desk, own, own_api=own_api, ca_file=ca_file))
    try:
        await asyncio.wait([task, asyncio.create_task(webhooks.listening())], return_when="FIRST_COMPLETED")
        yield webhooks
    finally:
        await _end(task)


async def _end(running: asyncio.Task[None]) -> None:
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
