"""Numbers, short codes and named senders as contacts, and every way in which they are written."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.sms import addresses
from backends.sms.addresses import NETWORK, Kind, Ton
from backends.sms.text import names, numbers
from bridge.api import BadAddress, ContactAddress, ContactId, NetworkAddress
from bridge.xmpp import jids

DOMAIN = "sms.example.com"
COUNTRIES = st.sampled_from(["", "US", "DE", "GB", "IT", "AR", "MX", "NO", "SG", "AU", "us", "XX", "Germany"])
DIGITS = st.text("0123456789", max_size=20)
WRITTEN = st.text("0123456789+ ()-./;=x@\\,", max_size=24)
SENDERS = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(max_codepoint=0x17F), max_size=11),
    DIGITS,
    DIGITS.map("+{}".format),
    WRITTEN,
    st.text(" \"&'/:<>@\\0123456789abcdef\u0301\u05d0+;", max_size=11),
)
TONS = st.integers(-1, 7)


def contact(local: str) -> str:
    return addresses.parse(local).contact


@pytest.mark.parametrize(
    ("local", "expected", "kind"),
    [
        ("+15551234567", "+15551234567", Kind.NUMBER),
        ("+1 (555) 123-4567", "+15551234567", Kind.NUMBER),
        ("+4402079460958", "+442079460958", Kind.NUMBER),
        ("+390612345678", "+390612345678", Kind.NUMBER),
        # more than one trunk prefix
        ("+35800478222754", "+358478222754", Kind.NUMBER),
        ("+88216123456", "+88216123456", Kind.NUMBER),
        ("12345;phone-context=+1", "12345;phone-context=+1", Kind.SHORT_CODE),
        ("123;phone-context=+49", "123;phone-context=+49", Kind.SHORT_CODE),
        ("12345678;phone-context=+44", "12345678;phone-context=+44", Kind.SHORT_CODE),
        ("12-345;phone-context=+1", "12345;phone-context=+1", Kind.SHORT_CODE),
        ("12345;phone-context=ca-us.phone-context.soprani.ca", "12345;phone-context=+1", Kind.SHORT_CODE),
        ("(555) 123-4567", "5551234567", Kind.NATIONAL),
        ("0171 1234567", "01711234567", Kind.NATIONAL),
        ("0171\u00a0123\u20114567", "01711234567", Kind.NATIONAL),
        ("555-123-4567", "5551234567", Kind.NATIONAL),
        ("555.123/4567", "5551234567", Kind.NATIONAL),
        ("12345", "12345", Kind.NATIONAL),
        ("\u0661\u0662\u0663\u0664\u0665", "12345", Kind.NATIONAL),
        ("my bank", "my bank", Kind.NAME),
        ("1-800-flowers", "1-800-flowers", Kind.NAME),
        ("info@bank", "info@bank", Kind.NAME),
        ("пошта", "пошта", Kind.NAME),
    ],
)
def test_parsing(local: str, expected: str, kind: Kind) -> None:
    address = addresses.parse(local)
    assert address == ContactAddress(NETWORK, ContactId(expected))
    assert addresses.kind(address.contact) is kind
    assert addresses.parse(addresses.format_(address)) == address


@pytest.mark.parametrize(
    ("local", "reason"),
    [
        ("", "no phone number"),
        ("*100#", "no phone number"),
        ("+1555123456", "too short"),
        ("+155512345678", "too long"),
        ("+15551234", "area code"),
        ("+49301", "area code"),
        ("+999123456789", "calling code"),
        ("+0171123456", "calling code"),
        ("+1", "too short"),
        ("+", "no phone number"),
        ("1+555", "no phone number"),
        ("+bank", "no phone number"),
        ("12", "too short"),
        ("1" * 19, "too long"),
        ("1" * 500, "longer"),
        ("my bank;x", "no phone number"),
        ("12;phone-context=+1", "3 to 8 digits"),
        ("123456789;phone-context=+1", "3 to 8 digits"),
        ("+12345;phone-context=+1", "3 to 8 digits"),
        ("bank;phone-context=+1", "3 to 8 digits"),
        ("12345;phone-context=+999", "calling code"),
        ("12345;phone-context=1", "calling code"),
        ("12345;phone-context=example.com", "calling code"),
        ("12345;phone-context=", "calling code"),
        ("My Bank", "no phone number"),
    ],
)
def test_what_stands_for_nothing(local: str, reason: str) -> None:
    with pytest.raises(BadAddress, match=reason):
        addresses.parse(local)


@pytest.mark.parametrize(
    ("digits", "country", "expected"),
    [
        ("5551234567", "US", "+15551234567"),
        ("15551234567", "US", "+15551234567"),
        ("5551234567", "us", "+15551234567"),
        ("01711234567", "DE", "+491711234567"),
        ("491711234567", "DE", "+491711234567"),
        ("00491711234567", "US", "+491711234567"),
        ("0114915112345678", "US", "+4915112345678"),
        ("0011491711234567", "AU", "+491711234567"),
        ("00447700900123", "AU", "+447700900123"),
        ("02079460958", "GB", "+442079460958"),
        ("0612345678", "IT", "+390612345678"),
        ("91234567", "NO", "+4791234567"),
        ("12345", "US", "12345;phone-context=+1"),
        ("116111", "DE", "116111;phone-context=+49"),
        ("112", "DE", "112;phone-context=+49"),
        ("+15551234567", "", "+15551234567"),
        ("12345;phone-context=+1", "DE", "12345;phone-context=+1"),
        ("my bank", "US", "my bank"),
    ],
)
def test_normalising(digits: str, country: str, expected: str) -> None:
    assert addresses.normalise(ContactId(digits), country) == expected
    assert addresses.normalise(ContactId(expected), country) == expected


@pytest.mark.parametrize(
    ("digits", "country", "reason"),
    [
        ("5551234567", "", "country"),
        ("12345", "", "country"),
        ("5551234567", "Atlantis", "no country"),
        ("12345", "XX", "no country"),
        ("5551234", "US", "5551234 in US lacks its area code"),
        ("555123456789", "US", "too long"),
        ("004", "", "country"),
        ("00999123456", "DE", "calling code"),
        ("12", "US", "3 to 8 digits"),
    ],
)
def test_what_is_no_number_in_a_country(digits: str, country: str, reason: str) -> None:
    with pytest.raises(BadAddress, match=reason):
        addresses.normalise(ContactId(digits), country)


@pytest.mark.parametrize(
    ("text", "ton", "country", "expected", "name"),
    [
        ("15551234567", Ton.INTERNATIONAL, "", "+15551234567", ""),
        ("+15551234567", Ton.INTERNATIONAL, "DE", "+15551234567", ""),
        ("+15551234567", Ton.UNKNOWN, "", "+15551234567", ""),
        ("+15551234567", Ton.ALPHANUMERIC, "", "+15551234567", ""),
        ("5551234567", Ton.NATIONAL, "US", "+15551234567", ""),
        ("01711234567", Ton.NATIONAL, "DE", "+491711234567", ""),
        ("1711234567", Ton.NATIONAL, "DE", "+491711234567", ""),
        # not said: with a calling code, where that makes a number
        ("12025550123", Ton.UNKNOWN, "DE", "+12025550123", ""),
        ("491711234567", Ton.UNKNOWN, "US", "+491711234567", ""),
        ("00491711234567", Ton.UNKNOWN, "DE", "+491711234567", ""),
        ("491711234567", Ton.UNKNOWN, "DE", "+491711234567", ""),
        ("15551234567", Ton.UNKNOWN, "US", "+15551234567", ""),
        ("01711234567", Ton.UNKNOWN, "DE", "+491711234567", ""),
        # Oregon in the United States, Denmark elsewhere
        ("4582345678", Ton.UNKNOWN, "US", "+14582345678", ""),
        ("4582345678", Ton.UNKNOWN, "DE", "+4582345678", ""),
        # short codes
        ("12345", Ton.UNKNOWN, "US", "12345;phone-context=+1", ""),
        ("12345", Ton.NETWORK_SPECIFIC, "US", "12345;phone-context=+1", ""),
        ("12345678", Ton.ABBREVIATED, "DE", "12345678;phone-context=+49", ""),
        ("12345", Ton.INTERNATIONAL, "DE", "12345;phone-context=+49", ""),
        ("12345", Ton.ALPHANUMERIC, "DE", "12345;phone-context=+49", ""),
        # whose country nobody knows
        ("12345", Ton.UNKNOWN, "", "12345", ""),
        ("5551234567", Ton.NATIONAL, "", "5551234567", ""),
        ("5551234567", Ton.NATIONAL, "XX", "5551234567", ""),
        # names
        ("My Bank", Ton.ALPHANUMERIC, "US", "my bank", "My Bank"),
        ("My Bank", Ton.INTERNATIONAL, "US", "my bank", "My Bank"),
        ("My  Bank\0\0", Ton.ALPHANUMERIC, "US", "my bank", "My Bank"),
        ("1-800-FLOWERS", Ton.ALPHANUMERIC, "US", "1-800-flowers", "1-800-FLOWERS"),
        ("Straße", Ton.ALPHANUMERIC, "DE", "strasse", "Straße"),
        ("ΣΑΣ", Ton.ALPHANUMERIC, "GR", "σασ", "ΣΑΣ"),
        ("*100#", Ton.UNKNOWN, "US", "sender *100#", "*100#"),
        ("12", Ton.UNKNOWN, "US", "sender 12", "12"),
        ("1" * 19, Ton.INTERNATIONAL, "US", "sender " + "1" * 19, "1" * 19),
        ("", Ton.UNKNOWN, "US", "unknown sender", ""),
        (" \0 ", Ton.ALPHANUMERIC, "US", "unknown sender", ""),
    ],
)
def test_senders(text: str, ton: int, country: str, expected: str, name: str) -> None:
    assert addresses.from_sender(text, ton, country) == (expected, name)


def test_senders_that_no_jid_can_carry_stay_apart() -> None:
    texts = ["Bank;1", "Bank\ue0001", "+Bank", "_Bank", "Bank\ud800", "x" * 40, "x" * 41, "בנק24", "בנק25"]
    contacts = [addresses.from_sender(text, Ton.ALPHANUMERIC, "US")[0] for text in texts]
    assert len(set(contacts)) == len(texts)
    assert {addresses.kind(each) for each in contacts} == {Kind.NAME}


@given(SENDERS, TONS, COUNTRIES)
@example("(+1)2025550123", 0, "")
@example("\\20bank\\20", 5, "")
@example(":\u0301", 5, "")
@example("0\u0338", 5, "")
@example("\u00a8", 5, "")
@example("בנק24", 5, "")
@example("İ", 5, "")
@example("ſ+", 5, "")
def test_any_sender_is_a_contact_that_a_jid_can_carry(text: str, ton: int, country: str) -> None:
    who, name = addresses.from_sender(text, ton, country)
    address = ContactAddress(NETWORK, who)
    local = addresses.format_(address)
    assert addresses.parse(local) == address
    carried = jids.prepare(jids.join(jids.escape_local(local), DOMAIN))
    assert jids.unescape_local(jids.split(carried)[0]) == local
    # what is stored, and shown
    assert msgspec.json.decode(msgspec.json.encode([who, name])) == [who, name]
    assert name == name.strip()
    assert addresses.display(who)
    assert bool(addresses.can_answer(who)) == (not addresses.tel(who))


@given(st.text() | WRITTEN)
def test_parsing_anything(local: str) -> None:
    with suppress(BadAddress):
        address = addresses.parse(local)
        assert addresses.parse(addresses.format_(address)) == address


@given(st.text() | WRITTEN | WRITTEN.map("tel:{}".format) | WRITTEN.map("xmpp:%2B{}@x".format), COUNTRIES)
def test_anything_typed(text: str, country: str) -> None:
    with suppress(BadAddress):
        address = addresses.from_prompt(text, country)
        assert addresses.parse(addresses.format_(address)) == address


@given(DIGITS.filter(bool), COUNTRIES)
def test_any_digits_in_any_country(digits: str, country: str) -> None:
    with suppress(BadAddress):
        made = addresses.normalise(ContactId(digits), country)
        assert addresses.kind(made) in (Kind.NUMBER, Kind.SHORT_CODE)
        assert addresses.parse(made).contact == made


@given(st.text())
@example("\u05d2\u0338+\U0001f468<\u05d1")
def test_folding_is_done_once(text: str) -> None:
    folded = names.fold(text)
    assert names.fold(folded) == folded
    assert 0 < len(folded) <= names.LONGEST


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("+15551234567", "", "+15551234567"),
        (" +1 (555) 123-4567 ", "", "+15551234567"),
        ("+44 (0)20 7946 0958", "", "+442079460958"),
        ("\uff0b\uff11\uff15\uff15\uff15\uff11\uff12\uff13\uff14\uff15\uff16\uff17", "", "+15551234567"),
        ("+1\u00a0555\u00a0123\u20114567", "", "+15551234567"),
        ("\u202a+15551234567\u202c", "", "+15551234567"),
        ("\u200e\u0661\u0662\u0663\u0664\u0665", "US", "12345;phone-context=+1"),
        ("0171 1234567", "DE", "+491711234567"),
        ("0171 1234567", "", "01711234567"),
        ("00491711234567", "", "+491711234567"),
        ("0049 171 1234567", "US", "+491711234567"),
        ("011 49 171 1234567", "", "+491711234567"),
        ("011 49 171 1234567", "US", "+491711234567"),
        # Sapporo
        ("011-211-2111", "JP", "+81112112111"),
        ("12345", "US", "12345;phone-context=+1"),
        ("12345", "", "12345"),
        ("12345;phone-context=+1", "DE", "12345;phone-context=+1"),
        ("12345;phone-context=ca-us.phone-context.soprani.ca", "", "12345;phone-context=+1"),
        ("tel:+1-555-123-4567", "", "+15551234567"),
        ("TEL:+1-555-123-4567;ext=12", "", "+15551234567"),
        ("tel:12345;phone-context=+1", "DE", "12345;phone-context=+1"),
        ("tel:7042;isub=1;Phone-Context=+44", "", "7042;phone-context=+44"),
        ("tel:02079460958;phone-context=+44", "", "+442079460958"),
        ("tel:123-4567;phone-context=+1-555", "", "+15551234567"),
        ("sms:+15551234567?body=hello%20there", "", "+15551234567"),
        ("sms:%2B15551234567", "", "+15551234567"),
        ("sms://+15551234567", "", "+15551234567"),
        ("smsto:(555) 123-4567", "US", "+15551234567"),
        ("xmpp:+15551234567@sms.example.com?message;body=hi", "", "+15551234567"),
        ("xmpp:%2B15551234567@sms.example.com", "", "+15551234567"),
        ("xmpp:12345;phone-context=+1@sms.example.com", "", "12345;phone-context=+1"),
        (r"xmpp:my\20bank@sms.example.com", "", "my bank"),
        ("xmpp:my%5C20bank@sms.example.com", "", "my bank"),
        ("+15551234567@sms.example.com/phone", "", "+15551234567"),
        ("12345;phone-context=+1@sms.example.com", "", "12345;phone-context=+1"),
        ("My Bank", "US", "my bank"),
        ("WhatsApp", "", "whatsapp"),
    ],
)
def test_what_people_type(text: str, country: str, expected: str) -> None:
    assert addresses.from_prompt(text, country) == ContactAddress(NETWORK, ContactId(expected))


@pytest.mark.parametrize(
    ("text", "country", "reason"),
    [
        ("", "US", "neither"),
        ("alice@example.org", "US", "neither"),
        ("a whole sentence", "US", "neither"),
        ("слово", "US", "neither"),
        ("bank;x=1", "US", "neither"),
        ("***", "US", "neither"),
        ("+15551234567, +15557654321", "US", "one at a time"),
        ("sms:+15551234567,+15557654321", "US", "one at a time"),
        ("5551234", "US", "area code"),
        ("12", "", "too short"),
        ("00", "", "too short"),
        ("00999123456789", "", "calling code"),
        ("tel:5551234567;phone-context=example.com", "US", "calling code"),
        ("5551234567", "XX", "no country"),
    ],
)
def test_what_people_type_in_error(text: str, country: str, reason: str) -> None:
    with pytest.raises(BadAddress, match=reason):
        addresses.from_prompt(text, country)


@pytest.mark.parametrize(
    ("who", "shown", "dialled", "answer"),
    [
        ("+15551234567", "+1 555-123-4567", "+15551234567", True),
        ("+491711234567", "+49 171 1234567", "+491711234567", True),
        ("12345;phone-context=+1", "12345", "12345", True),
        ("5551234567", "5551234567", "5551234567", True),
        ("my bank", "my bank", "", False),
    ],
)
def test_what_people_see(who: str, shown: str, dialled: str, answer: bool) -> None:
    one = ContactId(who)
    assert addresses.display(one) == shown
    assert addresses.tel(one) == dialled
    refusal = addresses.can_answer(one)
    assert (refusal == "") == answer
    assert answer or refusal.startswith("my bank is a name")


def test_the_gateway_itself_has_no_local_part() -> None:
    assert addresses.format_(NetworkAddress(NETWORK)) == ""


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_every_countrys_example_is_found_again(country: str) -> None:
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        return
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    national = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    assert contact(number) == number
    assert addresses.from_sender(number[1:], Ton.INTERNATIONAL, country) == (number, "")
    digits = "".join(filter(str.isdigit, national))
    assert len(digits) <= 6 or addresses.from_prompt(national, country).contact == number


def test_what_was_parsed_once_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [f"+1555123{last:04}" for last in range(500)]
    for number in known:
        addresses.parse(number)
        addresses.from_sender(number[1:], Ton.INTERNATIONAL, "US")
        addresses.normalise(ContactId(number[2:]), "US")
    monkeypatch.setattr(phonenumbers, "parse", None)
    for number in known:
        assert contact(number) == number
        assert addresses.from_sender(number[1:], Ton.INTERNATIONAL, "US")[0] == number
        assert addresses.normalise(ContactId(number[2:]), "US") == number


def test_memory_for_addresses_is_bounded() -> None:
    for cached in (addresses._parse, addresses._from_sender, addresses.normalise, numbers.international):
        assert cached.cache_info().maxsize == 16384
