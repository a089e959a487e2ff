"""Files that come with a text are where the user's clients find them, or the text says why not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from backends.sms.http import media
from backends.sms.http.fields import Fields
from backends.sms.http.line import Line
from backends.sms.http.receiving import Patience, take_text
from bridge.api import TransferFailed
from bridge.testing.fake_host import FakeHost
from tests.peers.twilio import MEDIA_HOST, Account, Twilio
from tests.sms.http.conftest import NUMBER, PHONE, Listening
from tests.sms.http.desk import SmallDesk

CAT = b"\xff\xd8 a cat"


@pytest.fixture(autouse=True)
def files(provider: Twilio) -> None:
    provider.media = {"MEcat": ("image/jpeg", CAT), "MEcard": ("text/vcard", b"BEGIN:VCARD")}


async def test_files_arrive(
    listening: Listening, provider: Twilio, account: Account, desk: SmallDesk, host: FakeHost
) -> None:
    called = await provider.text(PHONE, NUMBER, "look", ["MEcat", "MEcard"])
    assert called.status == 200
    (arrived,) = desk.texts
    assert arrived.text == "look"
    cat, card = arrived.attachments
    assert (cat.name, cat.media_type, host.files[cat.url]) == ("MEcat.jpg", "image/jpeg", CAT)
    assert (card.name, card.media_type, host.files[card.url]) == ("MEcard.vcf", "text/vcard", b"BEGIN:VCARD")


async def test_the_login_is_shown_to_the_provider_only(
    listening: Listening, provider: Twilio, account: Account, desk: SmallDesk
) -> None:
    await provider.text(PHONE, NUMBER, "", ["MEcat"])
    assert provider.shown == [""]
    assert desk.texts[0].text == ""


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_a_file_that_is_not_there_yet_is_asked_for_again(
    listening: Listening, provider: Twilio, account: Account, desk: SmallDesk, status: int
) -> None:
    provider.media_status = [status, status]
    called = await provider.text(PHONE, NUMBER, "look", ["MEcat"])
    assert (called.status, called.attempts) == (200, 3)
    assert [(each.text, len(each.attachments)) for each in desk.texts] == [("look", 1)]


async def test_a_place_that_takes_no_file_now(
    listening: Listening, provider: Twilio, account: Account, desk: SmallDesk, host: FakeHost
) -> None:
    host.refuse_files = TransferFailed("The server is busy.", again=True)
    assert (await provider.text(PHONE, NUMBER, "look", ["MEcat"])).status == 503
    assert desk.told == 0


@pytest.mark.parametrize(
    ("status", "words"), [(403, "answers 403"), (410, "answers 410"), (204, "answers 204")]
)
async def test_a_file_that_will_never_be_there(
    listening: Listening, provider: Twilio, account: Account, desk: SmallDesk, status: int, words: str
) -> None:
    provider.media_status = [status]
    assert (await provider.text(PHONE, NUMBER, "look", ["MEcat", "MEcard"])).status == 200
    (arrived,) = desk.texts
    assert arrived.text == f"look\n[a file is missing: The file's server {words}.]"
    assert [each.name for each in arrived.attachments] == ["MEcard.vcf"]


async def test_a_place_that_takes_no_files_at_all(
    listening: Listening, provider: Twilio, account: Account, desk: SmallDesk, host: FakeHost
) -> None:
    host.refuse_files = TransferFailed("This server has no place for files.", again=False)
    assert (await provider.text(PHONE, NUMBER, "", ["MEcat"])).status == 200
    assert desk.texts[0].text == "[a file is missing: This server has no place for files.]"


async def test_a_file_that_is_too_big(
    listening: Listening,
    provider: Twilio,
    account: Account,
    desk: SmallDesk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "LARGEST", len(CAT) - 1)
    assert (await provider.text(PHONE, NUMBER, "", ["MEcat"])).status == 200
    assert "bigger than" in desk.texts[0].text


async def test_more_files_than_a_text_may_have(
    listening: Listening, provider: Twilio, account: Account, desk: SmallDesk
) -> None:
    assert (await provider.text(PHONE, NUMBER, "", ["MEcat"] * 12)).status == 200
    assert len(desk.texts[0].attachments) == 10
    assert desk.texts[0].text == "[2 more files were left out]"


async def test_files_that_take_too_long_are_asked_for_again(
    listening: Listening,
    provider: Twilio,
    account: Account,
    desk: SmallDesk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media, "SECONDS", 0.0)
    assert (await provider.text(PHONE, NUMBER, "", ["MEcat"])).status == 503


def _fields(url: str) -> Fields:
    return Fields(
        [("MessageSid", "MM00000001"), ("From", PHONE), ("To", NUMBER), ("NumMedia", "1"), ("MediaUrl0", url)]
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x",
        "https://127.0.0.1/x",
        "https://127.0.0.1./x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://\uff11\uff12\uff17.0.0.1/x",
        "https://[::1]/x",
        "https://user@localhost/x",
        "https:///x",
        "https://localhost:99999/x",
        "file:///etc/passwd",
        "https://[x/",
        "",
    ],
)
async def test_an_address_that_is_not_fetched(
    account: Account, provider: Twilio, host: FakeHost, desk: SmallDesk, line: Line, url: str
) -> None:
    await take_text(line, desk, _fields(url))
    assert desk.texts[0].text.startswith("[a file is missing: The file's address is not one")
    assert provider.asked == []


async def test_a_host_that_the_bridge_may_not_connect_to(desk: SmallDesk, line: Line) -> None:
    with pytest.raises(TransferFailed, match="no host called"):
        await take_text(line, desk, _fields("https://inside.example.test/x"))
    await take_text(line, desk, _fields("https://inside.example.test/x"), Patience.NOTE)
    assert "no host called" in desk.texts[0].text


async def test_a_redirect_to_somewhere_else(desk: SmallDesk, line: Line, provider: Twilio) -> None:
    provider.redirects = {
        "/round": "/round",
        "/inside": "https://127.0.0.1/x",
        "/plain": "http://localhost/x",
    }
    for path, words in (("round", "round in circles"), ("inside", "not one that"), ("plain", "not one that")):
        await take_text(line, desk, _fields(f"https://{MEDIA_HOST}:{provider.port}/{path}"))
        assert words in desk.texts.pop().text


async def test_a_certificate_that_is_not_trusted(desk: SmallDesk, line: Line, provider: Twilio) -> None:
    await take_text(replace(line, ca_file=""), desk, _fields(f"https://{MEDIA_HOST}:{provider.port}/MEcat"))
    assert "certificate" in desk.texts[0].text
