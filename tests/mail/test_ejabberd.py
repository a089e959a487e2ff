"""Mail as chat where the XMPP server is ejabberd: what depends on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mail import test_chat
from tests.mail.town import GATEWAY, Town, running_town
from tests.peers.ejabberd import EjabberdSetup, running_ejabberd

test_a_mail_arrives_and_is_answered = test_chat.test_a_mail_arrives_and_is_answered
test_files_go_both_ways = test_chat.test_files_go_both_ways
test_a_reply_goes_on_from_the_mail_that_it_answers = (
    test_chat.test_a_reply_goes_on_from_the_mail_that_it_answers
)
test_a_bounce_is_an_error_for_the_message = test_chat.test_a_bounce_is_an_error_for_the_message
test_displayed_marks_the_mail_as_read = test_chat.test_displayed_marks_the_mail_as_read
test_a_wrong_password_is_told = test_chat.test_a_wrong_password_is_told_with_what_the_server_said


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """One for all tests of this module."""
    with (
        running_ejabberd(EjabberdSetup(components={GATEWAY: "sekrit"})) as ejabberd,
        running_town(ejabberd) as town,
    ):
        yield town
