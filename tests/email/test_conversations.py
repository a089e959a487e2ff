"""What is remembered of a correspondent: conversations, where answers go, originals."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from backends.email.conversations import (
    ORIGINALS,
    REFERENCES,
    THREADS,
    Conversations,
    Talk,
    heard,
    said,
    with_original,
)
from backends.email.values import Person, ReadMail
from bridge.api import Account, AccountId, ContactId, NetworkId
from bridge.testing.fake_host import FakeHost

ROSE = Person("rose@example.org", "Rose Red")
ALICE = Person("alice@example.org")
LIST = Person("list@example.org")
DESK = Person("desk@example.org")
OWN = frozenset({ALICE.address})


def mail(id_: str, subject: str = "", answers: str = "", **more: object) -> ReadMail:
    """One that rose wrote; `answers` is what it answers."""
    known: dict[str, object] = {
        "sender": ROSE,
        "to": (ALICE,),
        "date": datetime.now(UTC),
        "in_reply_to": answers,
        "references": (answers,) if answers else (),
    }
    return ReadMail(id=id_, subject=subject, **{**known, **more})  # type: ignore[arg-type]


def test_a_subject_is_new_where_it_begins_or_changes_a_conversation() -> None:
    talk, first, new = heard(Talk(), mail("1", "Tea"))
    assert new
    talk, second, new = heard(talk, mail("2", "AW: Re: Tea", answers="1"))
    assert not new
    assert second.id == first.id
    talk, third, new = heard(talk, mail("3", "Coffee (was: Tea)", answers="2"))
    assert new
    assert third.id == first.id
    _, other, new = heard(talk, mail("4", "Tea"))
    assert new
    assert other.id != first.id
    _, _, new = heard(talk, mail("5", "", answers="3"))
    assert not new


def test_a_mail_that_was_not_taken_in_the_end_shows_its_subject_again() -> None:
    talk, thread, _ = heard(Talk(), mail("1", "Tea"))
    talk, again, new = heard(talk, mail("1", "Tea"))
    assert new
    assert (again, len(talk.threads)) == (thread, 1)


def test_an_answer_to_something_older_than_us_is_a_conversation_of_its_own() -> None:
    talk, thread, _ = heard(Talk(), mail("9", "Re: Tea", references=("1", "5", "8"), in_reply_to="8"))
    assert thread.root == "1"
    assert thread.references == ("1", "5", "8", "9")
    _, same, _ = heard(talk, mail("10", "Re: Tea", answers="5"))
    assert same.id == thread.id


def test_where_answers_go() -> None:
    def answer_to(**more: object) -> str:
        return heard(Talk(), mail("1", **more), OWN)[1].answer_to  # type: ignore[arg-type]

    assert answer_to() == ""
    assert answer_to(reply_to=(DESK,)) == DESK.address
    assert answer_to(reply_to=(ROSE,)) == ""
    assert answer_to(reply_to=(DESK, ROSE)) == ""
    assert answer_to(reply_to=(LIST,), list_id="list.example.org") == ""
    assert answer_to(reply_to=(LIST,), to=(LIST,)) == ""
    assert answer_to(reply_to=(LIST,), to=(ALICE,), cc=(LIST,)) == ""
    assert answer_to(reply_to=(ALICE,), to=(LIST,)) == ""


def test_what_we_say_goes_on_or_begins_a_conversation() -> None:
    talk, thread, _ = heard(Talk(), mail("1", "Tea", reply_to=(DESK,)))
    talk = said(talk, thread, "2", "Re: Tea", anew=False)
    assert talk.threads[0].references == ("1", "2")
    assert (talk.threads[0].root, talk.threads[0].answer_to) == ("1", DESK.address)
    talk = said(talk, talk.threads[0], "3", "Work", anew=True)
    assert (talk.threads[0].root, talk.threads[0].answer_to) == ("3", "")
    assert len(talk.threads) == 2
    assert talk.thread(thread.id, None) == talk.threads[1]
    assert talk.thread("a client's own", None) == talk.threads[0]
    assert talk.thread(None, "1") == talk.threads[1]
    unknown = talk.thread(thread.id, "from before")
    assert unknown is not None
    assert unknown.references == ("from before",)


def test_what_came_while_ours_was_on_its_way_is_not_forgotten() -> None:
    talk, before, _ = heard(Talk(), mail("1", "Tea"))
    talk, _, _ = heard(talk, mail("2", "Re: Tea", answers="1"))
    talk = said(talk, before, "3", "Re: Tea", anew=False)
    assert talk.threads[0].references == ("1", "2", "3")


def test_all_of_it_is_bounded() -> None:
    talk = Talk()
    for number in range(3 * REFERENCES):
        talk, thread, _ = heard(talk, mail(f"a{number + 1}", "Tea", answers=f"a{number}"))
    assert len(thread.references) == REFERENCES
    assert (thread.references[0], thread.references[-1]) == ("a0", f"a{3 * REFERENCES}")
    for number in range(3 * THREADS):
        talk, _, _ = heard(talk, mail(f"b{number}"))
        talk = with_original(talk, f"b{number}", f"https://files.test/{number}")
    assert len(talk.threads) == THREADS
    assert len(talk.originals) == ORIGINALS
    newest = talk.original(None)
    assert newest is not None
    assert newest.id == f"b{3 * THREADS - 1}"
    assert talk.original("b0") is None


async def test_talks_are_kept_and_one_that_cannot_be_read_is_forgotten() -> None:
    host, talks, rose = FakeHost(), Conversations(), ContactId(ROSE.address)
    talk, _, _ = heard(Talk(), mail("1", "Tea"))
    await talks.save(host, rose, talk)
    assert await talks.load(host, rose) == talk
    assert await talks.load(host, ContactId("other@example.org")) == Talk()
    host.cursors = dict.fromkeys(host.cursors, "{")
    assert await talks.load(host, rose) == Talk()


async def test_one_at_a_time_changes_a_talk_and_nothing_of_that_stays() -> None:
    talks, rose = Conversations(), ContactId(ROSE.address)
    host, other = FakeHost(), FakeHost(Account(AccountId("other"), "o@example.org", NetworkId("")))
    seen: list[str] = []

    async def change(host: FakeHost, name: str) -> None:
        async with talks.turn(host, rose):
            seen.append(f"{name} in")
            for _ in range(3):
                await asyncio.sleep(0)
            seen.append(f"{name} out")

    await asyncio.gather(change(host, "a"), change(host, "b"), change(other, "c"))
    alone = [each for each in seen if each[0] in "ab"]
    assert alone == ["a in", "a out", "b in", "b out"]
    assert seen.index("c in") < seen.index("a out")
    assert not talks._locks
