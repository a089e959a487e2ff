"""Mail that comes between the registration of a mailbox and the first time that it is watched."""

from __future__ import annotations

from pathlib import Path

from backends.email.options import Options
from backends.email.signup import SignUp
from bridge.testing.fake_host import FakeHost
from tests.email.watching import Ledger, make_mail, make_watcher, running
from tests.mail.conftest import ELSEWHERE
from tests.mail.town import PASSWORD, Town


async def test_mail_that_comes_before_the_first_session_is_new(town: Town, tmp_path: Path) -> None:
    own = f"early@{ELSEWHERE}"
    town.add_mailbox(own)
    town.dovecot.deliver(own, make_mail("old"))
    ca_file = tmp_path / "both.pem"
    ca_file.write_bytes(town.dovecot.ca_file.read_bytes() + town.postfix.ca_file.read_bytes())
    sign_up = SignUp(Options(ca_file=str(ca_file)), FakeHost(endpoints={"localhost": "127.0.0.1"}))
    kept = await sign_up.judge({"email": own, "password": PASSWORD, **town.servers()})
    town.dovecot.deliver(own, make_mail("between"))
    ledger = Ledger()
    watcher = make_watcher(town.dovecot, own, tmp_path / "in", kept["begin"], password=PASSWORD)
    async with running(watcher, ledger):
        await ledger.until(lambda: ledger.subjects == ["between"])
