"""Signatures: the documented examples, and the provider's own library as a second opinion."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from backends.sms.http.signature import SHA1, SHA256, algorithm_of, body_matches, is_signed, sign
from tests.peers import twilio

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
BODY = b'{"property": "value", "boolean": true}'
HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"


def test_the_documented_example() -> None:
    assert sign(TOKEN, URL, CALL.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert is_signed(TOKEN, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", URL, CALL.items())
    assert twilio.signature(TOKEN, URL, CALL) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (URL.replace(".com", ".com:1234"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (URL.replace("https", "http"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (URL.replace("https", "http").replace(".com", ".com:1234"), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ],
    ids=["taken off", "443 put in", "80 put in", "taken off http"],
)
def test_the_port_may_be_signed_or_not(url: str, signature: str) -> None:
    assert is_signed(TOKEN, signature, url, CALL.items())


def test_a_parameter_that_is_there_twice() -> None:
    pairs = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")]
    assert sign(TOKEN, URL, pairs) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="
    assert sign(TOKEN, URL, [*pairs, ("Digits", "1234")]) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


def test_a_body_that_is_no_form() -> None:
    query = f"foo=1&bar=2&bodySHA256={HASH}"
    url = f"https://mycompany.com/myapp.php?{query}"
    assert body_matches(query, BODY)
    assert is_signed(TOKEN, "a9nBmqA0ju/hNViExpshrM61xv4=", url)
    assert not body_matches(query, BODY + b" ")
    assert not body_matches("foo=1", BODY)
    assert RequestValidator(TOKEN).validate(url, BODY.decode(), "a9nBmqA0ju/hNViExpshrM61xv4=")


def test_the_hash_of_the_documented_json_example() -> None:
    body = b'{"CallSid":"CA1234567890ABCDE","Caller":"+12349013030"}'
    assert body_matches("bodySHA256=5ccde7145dfb8f56479710896586cb9d5911809d83afbe34627818790db0aec9", body)


def test_a_key_of_its_own_and_sha256() -> None:
    header = "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256"
    assert algorithm_of(header) == SHA256
    assert (algorithm_of(""), algorithm_of("key=x")) == (SHA1, SHA1)
    signature = RequestValidator("shared").compute_signature(URL, CALL, SHA256)
    assert is_signed("shared", signature, URL, CALL.items(), SHA256)
    assert not is_signed("shared", signature, URL, CALL.items())
    assert not is_signed("shared", signature, URL, CALL.items(), algorithm_of("algorithm=MD5"))


@pytest.mark.parametrize("signature", ["", "x", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "\u00e9\udc80", "=" * 28])
def test_what_is_no_signature(signature: str) -> None:
    assert not is_signed(TOKEN, signature, URL, CALL.items())


def test_nothing_is_signed_without_a_key() -> None:
    assert not is_signed("", sign("", URL, CALL.items()), URL, CALL.items())


_NAMES = st.text(string.ascii_letters + string.digits + "_é", min_size=1, max_size=12)
_TEXTS = st.text(max_size=40)
_PAIRS = st.lists(st.tuples(_NAMES, _TEXTS), max_size=12)
_URLS = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["https", "http"]),
    st.sampled_from(["example.org", "sms.example.org", "localhost"]),
    st.sampled_from(["", ":443", ":80", ":8443"]),
    st.text(string.ascii_letters + "/-_%20", max_size=20).map(lambda path: path + "?a=%C3%A9&b=1"),
)


@given(_URLS, _PAIRS)
def test_the_providers_library_agrees(url: str, pairs: list[tuple[str, str]]) -> None:
    validator = RequestValidator("token")
    assert sign("token", url, pairs) == validator.compute_signature(url, MultiDict(pairs))
    assert validator.validate(url, MultiDict(pairs), sign("token", url, pairs))
    single = dict(pairs)
    assert is_signed("token", twilio.signature("token", url, single), url, single.items())


@given(_URLS, _PAIRS, _NAMES, _TEXTS)
def test_what_is_changed_is_not_signed(url: str, pairs: list[tuple[str, str]], name: str, value: str) -> None:
    signature = sign("token", url, pairs)
    assert not is_signed("other", signature, url, pairs)
    assert not is_signed("token", signature, url + "x", pairs)
    if (name, value) not in pairs:
        assert not is_signed("token", signature, url, [*pairs, (name, value)])


@given(st.text(), st.text(), st.text(), _PAIRS)
def test_nothing_raises(key: str, signature: str, url: str, pairs: list[tuple[str, str]]) -> None:
    assert not is_signed(key, signature, url, pairs)
    body_matches(url, signature.encode())
    algorithm_of(url)
