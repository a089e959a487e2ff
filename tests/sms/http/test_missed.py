"""Texts that came while the provider could not reach us are fetched, once each, and only by who had the
number then."""

from __future__ import annotations

import asyncio
import email.utils
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from backends.sms.http import missed
from backends.sms.http.carrier import TwilioCarrier, own_carrier
from backends.sms.http.client import Client
from backends.sms.http.line import Line
from backends.sms.http.missed import Missed, Unread, begin
from backends.sms.http.options import TwilioOptions
from backends.sms.http.rest import Rest
from bridge.api import ConnectionLost
from bridge.testing.fake_host import FakeHost
from tests.peers.twilio import Account, Twilio
from tests.sms.http.conftest import EXTERNAL, NUMBER, PHONE, Listening
from tests.sms.http.desk import SmallDesk

SINCE = f"sms http since {NUMBER}"


@pytest.fixture
def host(host: FakeHost) -> FakeHost:
    """Who has `NUMBER` since long."""
    host.cursors[SINCE] = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    return host


@pytest.fixture
async def looking(options: TwilioOptions, line: Line, host: FakeHost) -> AsyncIterator[Missed]:
    client = Client(host, options.ca_file)
    yield Missed(line, Rest(line.access, client))
    await client.close()


async def _missed(
    provider: Twilio, text: str, minutes: float = 60, files: tuple[str, ...] = (), number: str = NUMBER
) -> datetime:
    """A text of so many minutes ago, of which we were not told. Returns its date."""
    await provider.text(PHONE, number, text, files, webhook=False)
    when = (datetime.now(UTC) - timedelta(minutes=minutes)).replace(microsecond=0)
    message = provider.messages[next(reversed(provider.messages))]
    message["date_sent"] = message["date_created"] = email.utils.format_datetime(when)
    return when


async def test_what_was_missed_is_fetched_in_order(
    looking: Missed, provider: Twilio, account: Account, desk: SmallDesk
) -> None:
    dates = [await _missed(provider, f"text {number}", 100 - number) for number in range(3)]
    await looking.look(desk)
    assert [(each.text, each.sent_at) for each in desk.texts] == [
        ("text 0", dates[0]),
        ("text 1", dates[1]),
        ("text 2", dates[2]),
    ]
    assert [each.id for each in desk.texts] == [f"us {sid}" for sid in provider.messages]
    await looking.look(desk)
    assert desk.told == 3


async def test_what_the_webhook_brought_is_not_brought_again(
    looking: Missed,
    listening: Listening,
    provider: Twilio,
    account: Account,
    desk: SmallDesk,
    options: TwilioOptions,
    host: FakeHost,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(missed, "SETTLED", timedelta(seconds=-5))
    await provider.text(PHONE, NUMBER, "by webhook")
    await looking.look(desk)
    assert desk.told == 1
    after_a_restart = Missed(Line("us", looking._line.access, host, options.ca_file), looking._rest)
    await after_a_restart.look(desk)
    assert (desk.told, len(desk.texts)) == (2, 1)  # the core knows its id


async def test_many_pages(
    looking: Missed, provider: Twilio, account: Account, desk: SmallDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missed, "PAGE", 7)
    for number in range(50):
        await _missed(provider, str(number), 100 - number)
    await looking.look(desk)
    assert [each.text for each in desk.texts] == [str(number) for number in range(50)]
    assert len([path for _, path in provider.asked if path.endswith("/Messages.json")]) == 8
    await looking.look(desk)  # the second look does not read what is long gone
    assert len([path for _, path in provider.asked if path.endswith("/Messages.json")]) == 9


async def test_what_is_not_for_us_or_not_over_is_left(
    looking: Missed, carrier: TwilioCarrier, provider: Twilio, account: Account, desk: SmallDesk
) -> None:
    account.add_number("+15550002222")
    await _missed(provider, "a day old", 24 * 60 + 1)
    await _missed(provider, "to nobody", number="+15550002222")
    await _missed(provider, "its webhook may be under way", 0)
    provider.messages["SMout"] = {**next(iter(provider.messages.values())), "direction": "outbound-api"}
    provider.messages["SMjunk"] = {"account_sid": account.sid, "to": NUMBER, "direction": "inbound"}
    await looking.look(desk)
    assert desk.told == 0


async def test_a_new_holder_does_not_get_the_texts_of_the_one_before(
    looking: Missed, provider: Twilio, account: Account, desk: SmallDesk, host: FakeHost
) -> None:
    del host.cursors[SINCE]
    await _missed(provider, "for who had it then", 5)
    await looking.look(desk)
    assert desk.told == 0
    began = datetime.fromisoformat(host.cursors[SINCE])
    assert datetime.now(UTC) - began < timedelta(minutes=1)
    await begin(host, NUMBER)
    assert datetime.fromisoformat(host.cursors[SINCE]) == began


async def test_files_are_fetched_too(
    looking: Missed, provider: Twilio, account: Account, desk: SmallDesk, host: FakeHost
) -> None:
    provider.media = {"MEcat": ("image/jpeg", b"a cat")}
    await _missed(provider, "look", files=("MEcat",))
    await looking.look(desk)
    (file,) = desk.texts[0].attachments
    assert (file.name, file.media_type, host.files[file.url]) == ("MEcat.jpg", "image/jpeg", b"a cat")


async def test_a_file_that_cannot_be_had_is_waited_for_but_not_for_ever(
    looking: Missed, provider: Twilio, account: Account, desk: SmallDesk
) -> None:
    provider.media = {"MEcat": ("image/jpeg", b"a cat")}
    await _missed(provider, "young", 5, files=("MEcat",))
    provider.media_status = [503]
    await looking.look(desk)
    assert desk.told == 0
    await looking.look(desk)
    assert [len(each.attachments) for each in desk.texts] == [1]
    await _missed(provider, "old", 11, files=("MEcat",))
    provider.media_status = [503]
    await looking.look(desk)
    assert desk.texts[1].text == "old\n[a file is missing: The file's server answers 503.]"


async def test_a_file_that_the_provider_has_no_more_holds_up_no_other_text(
    looking: Missed, provider: Twilio, account: Account, desk: SmallDesk
) -> None:
    provider.media = {"MEcat": ("image/jpeg", b"a cat")}
    await _missed(provider, "first", 60, files=("MEcat",))
    provider.without_lists.add(next(reversed(provider.messages)))
    await _missed(provider, "second", 50)
    await looking.look(desk)
    first, second = (each.text for each in desk.texts)
    assert first.startswith("first\n[a file is missing: ")
    assert second == "second"


async def test_a_look_that_fails_is_made_again_from_the_same_place(
    looking: Missed, provider: Twilio, account: Account, desk: SmallDesk
) -> None:
    await _missed(provider, "hi", 23 * 60)
    for status, body in ((503, "{}"), (401, "{}"), (200, "x")):
        provider.odd = (status, body)
        if status == 200:
            await looking.look(desk)  # an empty list, as it seems
            looking._looked = None
        else:
            with pytest.raises(Unread, match=str(status)):
                await looking.look(desk)
    provider.odd = None
    desk.out = True
    with pytest.raises(ConnectionLost):
        await looking.look(desk)
    desk.out = False
    await looking.look(desk)
    assert [each.text for each in desk.texts] == ["hi"]


async def test_a_carrier_looks_at_its_start_and_after_trouble(
    provider: Twilio,
    account: Account,
    desk: SmallDesk,
    listening: Listening,
    carrier: TwilioCarrier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(missed, "SETTLED", timedelta(seconds=0))
    await _missed(provider, "while we were down")
    running = asyncio.create_task(carrier.run(desk))
    await _told(desk, 1)
    desk.out = True
    assert (await provider.text(PHONE, NUMBER, "hi")).status == 503
    desk.out = False
    await _told(desk, 2)
    running.cancel()
    await asyncio.wait([running])
    assert [each.text for each in desk.texts] == ["while we were down", "hi"]


async def _told(desk: SmallDesk, count: int) -> None:
    async with asyncio.timeout(5):
        while desk.told < count:
            desk.asked.clear()
            await desk.asked.wait()
            await asyncio.sleep(0)


async def test_an_own_account_asks_for_its_number_only(
    provider: Twilio, account: Account, desk: SmallDesk, host: FakeHost
) -> None:
    account.add_number("+15550002222")
    desk.holders = {(NUMBER, ""): host, ("+15550002222", ""): host}
    await _missed(provider, "theirs")
    await _missed(provider, "another's", number="+15550002222")
    settings = {"provider": "twilio", "sid": account.sid, "number": NUMBER, "hook": "h"}
    secrets, ca_file = {"token": account.token}, str(provider.ca_file)
    carrier = own_carrier(settings, secrets, host, EXTERNAL, own_api=provider.url, ca_file=ca_file)
    running = asyncio.create_task(carrier.run(desk))
    await asyncio.wait_for(desk.asked.wait(), 5)
    running.cancel()
    await asyncio.wait([running])
    assert [each.text for each in desk.texts] == ["theirs"]
    assert desk.texts[0].id.startswith("own ")
