"""Connections are shared: few at a time, kept for the next mail, closed when none comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from backends.email.smtp.login import Login
from backends.email.smtp.pool import PoolLimits
from backends.email.values import Security, Server
from bridge.api import Sent
from tests.email.smtp.scripted import CLOSE, scripted
from tests.email.smtp.support import a_mail, submitting, until

BOB = "bob@example.net"
ALICE, CAROL = Login("alice", "secret"), Login("carol", "secret")


async def test_a_burst_goes_over_few_connections(tmp_path: Path) -> None:
    async with scripted() as server, submitting(pool=PoolLimits(per_server=2)) as submitter:
        where, mail = Server("localhost", server.port, Security.PLAIN), a_mail(tmp_path)
        handed = await asyncio.gather(*(submitter.send(where, ALICE, mail) for _ in range(20)))
        assert [each.outcomes[BOB] for each in handed] == [Sent()] * 20
        assert (server.connections, server.most_open) == (2, 2)
        assert len(server.mails) == 20


async def test_logins_do_not_share(tmp_path: Path) -> None:
    async with scripted() as server, submitting() as submitter:
        where, mail = Server("localhost", server.port, Security.PLAIN), a_mail(tmp_path)
        await submitter.send(where, ALICE, mail)
        await submitter.send(where, CAROL, mail)
        await submitter.send(where, Login("alice", "another"), mail)
        assert server.connections == 3


async def test_there_is_a_limit_for_all_servers(tmp_path: Path) -> None:
    async with scripted() as server, submitting(pool=PoolLimits(in_all=1)) as submitter:
        where, mail = Server("localhost", server.port, Security.PLAIN), a_mail(tmp_path)
        sends = (submitter.send(where, login, mail) for login in (ALICE, CAROL, None))
        handed = await asyncio.gather(*sends)
        assert [each.outcomes[BOB] for each in handed] == [Sent()] * 3


async def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    async with scripted() as server, submitting(pool=PoolLimits(idle=0.05)) as submitter:
        await submitter.send(Server("localhost", server.port, Security.PLAIN), ALICE, a_mail(tmp_path))
        await until(lambda: not server.open)
        assert server.lines[-1] == "QUIT"
        await submitter.send(Server("localhost", server.port, Security.PLAIN), ALICE, a_mail(tmp_path))
        assert server.connections == 2


async def test_a_connection_is_not_used_for_ever(tmp_path: Path) -> None:
    async with scripted() as server, submitting(pool=PoolLimits(mails=2)) as submitter:
        where, mail = Server("localhost", server.port, Security.PLAIN), a_mail(tmp_path)
        for _ in range(5):
            await submitter.send(where, ALICE, mail)
        assert server.connections == 3


async def test_a_used_connection_may_be_dead(tmp_path: Path) -> None:
    """A server that closes, or says that it will, at the second mail: a new connection is tried at once."""
    for second in (CLOSE, "421 4.4.2 idle for too long"):
        async with scripted({"MAIL": ["250 ok", second]}) as server, submitting() as submitter:
            where, mail = Server("localhost", server.port, Security.PLAIN), a_mail(tmp_path)
            for _ in range(2):
                assert (await submitter.send(where, ALICE, mail)).outcomes[BOB] == Sent()
            assert server.connections == 2


async def test_a_refused_mail_leaves_the_connection(tmp_path: Path) -> None:
    async with scripted({"RCPT": ["550 5.1.1 no", "250 ok"]}) as server, submitting() as submitter:
        where, mail = Server("localhost", server.port, Security.PLAIN), a_mail(tmp_path)
        await submitter.send(where, ALICE, mail)
        assert (await submitter.send(where, ALICE, mail)).outcomes[BOB] == Sent()
        assert server.connections == 1
        assert "RSET" in server.lines


async def test_a_cancelled_send_takes_its_connection_along(tmp_path: Path) -> None:
    async with scripted({"dot": ["hang"]}) as server, submitting() as submitter:
        where, mail = Server("localhost", server.port, Security.PLAIN), a_mail(tmp_path)
        task = asyncio.create_task(submitter.send(where, ALICE, mail))
        await until(lambda: bool(server.mails))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert (await submitter.send(where, ALICE, mail)).outcomes[BOB] == Sent()
        assert server.connections == 2
