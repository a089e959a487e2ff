"""Subjects of answers, out of a chat's text, and for mails without; Message-IDs that stay the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.email.writing import subjects
from backends.email.writing.message_ids import message_id


@pytest.mark.parametrize(
    ("subject", "reply"),
    [
        ("Lunch", "Re: Lunch"),
        ("Re: Lunch", "Re: Lunch"),
        ("RE: AW: Re[2]: Lunch", "Re: Lunch"),
        ("Antw: SV: Lunch", "Re: Lunch"),
        ("Fwd: WG: Lunch", "Re: Lunch"),
        ("回复：午饭", "Re: 午饭"),
        ("Re: [garden] Roses", "Re: [garden] Roses"),
        ("Regarding: money", "Re: Regarding: money"),
        ("Re:", "Re: Re:"),
        ("  two \n lines ", "Re: two lines"),
        ("", ""),
    ],
)
def test_subject_of_an_answer(subject: str, reply: str) -> None:
    assert subjects.of_reply(subject) == reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Subject: Lunch\nAt one?", ("Lunch", "At one?")),
        ("subject:Lunch\n\nAt one?", ("Lunch", "At one?")),
        ("Subject: only", ("only", "")),
        ("Subject:\nAt one?", ("", "Subject:\nAt one?")),
        ("At one?\nSubject: x", ("", "At one?\nSubject: x")),
        ("Subjects: x\ny", ("", "Subjects: x\ny")),
    ],
)
def test_subject_in_the_first_line(text: str, expected: tuple[str, str]) -> None:
    assert subjects.split_off(text) == expected


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("At one?", "At one?"),
        ("> quote\n\n*At* _one_", "At one"),
        ("word " * 50, "word word word word word word word word word word word word …"),
        ("x" * 100, "x" * 60 + " …"),
        ("", ""),
    ],
)
def test_subject_out_of_a_text(text: str, subject: str) -> None:
    assert subjects.of_text(text) == subject


@given(st.text(max_size=300))
def test_subjects_are_one_bounded_line(text: str) -> None:
    for subject in (subjects.of_text(text), subjects.of_reply(text), subjects.split_off(text)[0]):
        assert "\n" not in subject
        assert len(subject) <= subjects.LONGEST


@given(st.text(max_size=50), st.text(max_size=50))
def test_message_ids_are_the_same_again(account: str, key: str) -> None:
    first = message_id(account, key, "Example.org")

    assert first == message_id(account, key, "example.org")
    assert first != message_id(account + "x", key, "example.org")
    assert first.isascii()
    assert first.endswith("@example.org")


@pytest.mark.parametrize("domain", ["", "a b", "a@b", "a>b", "a\r\nb"])
def test_message_id_needs_a_domain(domain: str) -> None:
    with pytest.raises(ValueError, match="not a domain"):
        message_id("a", "b", domain)
