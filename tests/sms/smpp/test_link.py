"""The link to an SMSC: made, kept, lost, made again, and left."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backends.sms.smpp.bind import Bind
from backends.sms.smpp.carrier import SmppCarrier
from backends.sms.smpp.framing import write_frame
from backends.sms.smpp.library import Retry
from backends.sms.smpp.link import Link
from backends.sms.smpp.standing import Standing
from backends.sms.smpp.times import Times
from bridge.api import Later, Sent, Unknown
from bridge.testing.fake_host import FakeHost
from tests.peers.daemon import free_port
from tests.peers.smsc import PASSWORD, PhoneNetwork, Smsc
from tests.peers.tls import make_certificates
from tests.sms.smpp.stage import OURS, PHONE, QUICK, ROUTE, Stage, TestDesk, on_stage, options, until

DELIVER_SM, SUBMIT_SM_RESP, QUERY_SM = 0x05, 0x80000004, 0x03


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the admin reads."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def staged(
    smsc: Smsc,
    phones: PhoneNetwork,
    folder: Path,
    gateway: FakeHost | None = None,
    times: Times = QUICK,
    **more: Any,
) -> Stage:
    """A carrier that does not run yet."""
    carrier = SmppCarrier(ROUTE, options(smsc, folder, **more), gateway or FakeHost(), times)
    return Stage(carrier, TestDesk(), phones)


async def test_the_bind_is_as_the_options_say(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, system_type="gw", address_range="^1555"):
        bind = phones.of_kind("bind")[0]["fields"]
    wanted = {"command": "bind_transceiver", "system_id": "bridge", "password": PASSWORD, "system_type": "gw"}
    assert {name: bind[name] for name in wanted} == wanted
    assert (bind["interface_version"], bind["address_range"]) == (0x34, "^1555")


async def test_by_tls_the_certificate_is_verified(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    tls: dict[str, Any] = {"tls": "tls", "port": smsc.tls_port, "ca_file": str(smsc.ca_file)}
    async with on_stage(smsc, phones, tmp_path, **tls) as stage:
        assert isinstance(await stage.send("hello"), Sent)
        await phones.answer(await phones.text(PHONE, OURS, "answer"))
        assert stage.desk.texts == ["answer"]
        await phones.do("drop")
        await stage.bound(2)
        assert isinstance(await stage.send("hello again"), Sent)


@pytest.mark.parametrize(
    ("host", "ca", "why"),
    [
        ("127.0.0.1", "other", "its certificate cannot be trusted"),
        ("wrong.example.org", "right", "its certificate cannot be trusted"),
    ],
)
async def test_by_tls_a_wrong_certificate_is_refused(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, host: str, ca: str, why: str
) -> None:
    ca_file = smsc.ca_file if ca == "right" else make_certificates(tmp_path).ca_file
    resolver = FakeHost(endpoints={"wrong.example.org": "127.0.0.1"})
    stage = staged(
        smsc, phones, tmp_path, resolver, host=host, tls="tls", port=smsc.tls_port, ca_file=str(ca_file)
    )
    stage.running = asyncio.create_task(stage.carrier.run(stage.desk))
    await until(lambda: why in stage.carrier.status)
    await stage.stop()
    assert (await phones.counts())["binds"] == 0


async def test_the_name_is_resolved_by_the_gateway(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    resolver = FakeHost(endpoints={"smsc.example.org": "127.0.0.1"})
    tls: dict[str, Any] = {"tls": "tls", "port": smsc.tls_port, "ca_file": str(smsc.ca_file)}
    stage = staged(smsc, phones, tmp_path, resolver, host="smsc.example.org", **tls)
    await stage.start()
    assert isinstance(await stage.send("hello"), Sent)
    await stage.stop()
    nowhere = staged(smsc, phones, tmp_path, host="nowhere.example.org")
    nowhere.running = asyncio.create_task(nowhere.carrier.run(nowhere.desk))
    await until(lambda: "there is no host called 'nowhere.example.org'" in nowhere.carrier.status)
    assert await nowhere.send("x") == Later(3.0, "The carrier cannot be reached now.")
    await nowhere.stop()


async def test_a_wrong_password_is_told_once(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await phones.set(password="other")
    stage = staged(smsc, phones, tmp_path)
    stage.running = asyncio.create_task(stage.carrier.run(stage.desk))
    await phones.wait("bind", count=3)
    locked_out = "The carrier does not let the gateway in; the gateway's admin can mend that."
    assert await stage.send("x") == Later(3.0, locked_out)
    assert "it refuses the bind: error 0x0000000E ESME_RINVPASWD" in stage.carrier.status
    assert len(told(caplog)) == 1
    assert PASSWORD not in caplog.text
    await phones.set(password=PASSWORD)
    await until(lambda: stage.carrier.status.startswith("connected"))
    assert isinstance(await stage.send("x"), Sent)
    await stage.stop()


@pytest.mark.parametrize("status", [0x05, 0x0D, 0x58, 0x401])
async def test_a_refused_bind_is_tried_again(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, status: int
) -> None:
    await phones.set(bindStatus=status)
    stage = staged(smsc, phones, tmp_path)
    stage.running = asyncio.create_task(stage.carrier.run(stage.desk))
    await phones.wait("bind", count=2)
    assert f"error 0x{status:08X}" in stage.carrier.status
    await phones.set(bindStatus=0)
    await until(lambda: stage.carrier.status.startswith("connected"))
    await stage.stop()


async def test_nobody_listens_yet(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    stage = staged(smsc, phones, tmp_path, port=free_port())
    assert isinstance(await stage.send("x"), Later)
    stage.running = asyncio.create_task(stage.carrier.run(stage.desk))
    await until(lambda: "nothing listens there (connection refused)" in stage.carrier.status)
    await stage.stop()


async def test_an_smsc_that_accepts_and_says_nothing(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    await phones.set(mute=["*"])
    stage = staged(smsc, phones, tmp_path, times=msgspec.structs.replace(QUICK, connect=0.5))
    stage.running = asyncio.create_task(stage.carrier.run(stage.desk))
    await phones.wait("muted", lambda each: each["command"] == "bind_transceiver")
    await phones.set(mute=[])
    await until(lambda: stage.carrier.status.startswith("connected"))  # by another connection
    assert (await phones.counts())["connections"] == 2
    await stage.stop()


async def test_an_unbind_is_answered_and_the_link_made_again(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.rule(answer=False)
        waiting = asyncio.create_task(stage.send("waits"))
        await phones.wait("submit")
        await phones.do("unbind")
        await phones.wait("unbound")
        assert isinstance(await waiting, Unknown)
        await stage.bound(2)
        await phones.rule()
        assert isinstance(await stage.send("goes on"), Sent)


async def test_an_smsc_that_has_forgotten_the_bind(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.rule(status=0x04, times=1, take=False)
        assert await stage.send("x") == Later(60.0, "The carrier has trouble (error 0x00000004).")
        await stage.bound(2)
        assert isinstance(await stage.send("x"), Sent)


async def test_an_smsc_that_does_not_answer_any_more(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path, enquire_seconds=1.0, response_seconds=1.0) as stage:
        await phones.wait("enquiry")  # it is asked though nobody sends anything
        assert (await phones.counts())["connections"] == 1
        await phones.set(mute=["*"])
        await phones.wait("closed")
        await phones.set(mute=[])
        await stage.bound(2)
        assert isinstance(await stage.send("goes on"), Sent)


async def test_a_link_that_is_used_is_not_asked(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path, enquire_seconds=1.0) as stage:
        ends = asyncio.get_running_loop().time() + 1.6
        while asyncio.get_running_loop().time() < ends:
            assert isinstance(await stage.send("x"), Sent)
            await asyncio.sleep(0.05)
        assert (await phones.counts())["enquiries"] == 0


async def test_it_asks_us_too(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path):
        await phones.do("enquire")
        assert (await phones.wait("alive"))[0]["status"] == 0


async def test_statuses_and_commands_of_no_specification(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        strange = [
            write_frame(0x12345, 0x777, 901, b"body"),  # a request
            write_frame(0x80012345, 0, 902),  # an answer
            write_frame(QUERY_SM, 0, 903, b"\0"),
            write_frame(DELIVER_SM, 0xABCDEF, 904),
            write_frame(0x102, 0, 905, b"\0"),  # alert_notification has no answer
            write_frame(SUBMIT_SM_RESP, 0x999, 0xFFFFFFFF),
            write_frame(SUBMIT_SM_RESP, 0, 0, b"\xff\xfe"),
            write_frame(0x80000000, 0x3, 0),
            write_frame(0x80000015, 0x45, 5),
        ]
        await phones.do("write", hex=b"".join(strange).hex())
        await phones.wait("stray", count=3)
        answers = [(each["command"], each["status"]) for each in phones.of_kind("stray")]
        assert answers == [("generic_nack", 3), ("generic_nack", 3), ("deliver_sm_resp", 0x65)]
        assert isinstance(await stage.send("goes on"), Sent)
        assert (await phones.counts())["connections"] == 1


@pytest.mark.parametrize("length", [0, 15, 70_000, 0xFFFFFFFF])
async def test_a_length_that_cannot_be_ends_the_link(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, length: int
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        header = length.to_bytes(4, "big") + (5).to_bytes(4, "big") + b"\0" * 8
        await phones.do("write", hex=header.hex())
        await phones.wait("closed")
        assert phones.of_kind("stray")[0] == {"event": "stray", "command": "generic_nack", "status": 2}
        await stage.bound(2)
        assert isinstance(await stage.send("goes on"), Sent)


async def test_a_pdu_in_pieces(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path):
        octets = write_frame(0x12345, 0, 7, b"x" * 60_000)
        for piece in (octets[:3], octets[3:17], octets[17:40_000], octets[40_000:]):
            await phones.do("write", hex=piece.hex())
        assert (await phones.wait("stray"))[0]["status"] == 3


async def test_it_leaves_in_good_order(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.rule(delay=300)
        host = stage.desk.hosts[OURS]
        host.hold_storing = True
        number = await phones.text(PHONE, OURS, "on its way")
        await stage.desk.wait(lambda: stage.desk.arrived)
        sending = asyncio.create_task(stage.send("under way"))
        await phones.wait("submit")
        asyncio.get_running_loop().call_later(0.1, host.store)
        await stage.stop()
        assert isinstance(await sending, Sent)
        assert await phones.answer(number) == 0
        await phones.wait("unbind")
        assert (await phones.counts())["connections"] == 1
        assert stage.carrier.status == "not connected: the gateway stops"


async def test_it_leaves_although_nothing_is_answered(
    smsc: Smsc, phones: PhoneNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await phones.set(mute=["*"])
        sending = asyncio.create_task(stage.send("under way"))
        await phones.wait("muted")
        began = asyncio.get_running_loop().time()
        await stage.stop()
        assert asyncio.get_running_loop().time() - began < 2.5
        assert isinstance(await sending, Unknown)
        assert told(caplog) == []


async def test_it_can_be_run_again(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        await stage.stop()
        await stage.start()
        assert isinstance(await stage.send("again"), Sent)


async def test_a_fault_of_ours_ends_only_the_link(
    smsc: Smsc,
    phones: PhoneNetwork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("backends.sms.smpp.carrier.AFTER_A_FAULT", 0.05)
    async with on_stage(smsc, phones, tmp_path) as stage:
        with monkeypatch.context() as patched:
            patched.setattr(Bind, "_handle_response", broken)
            assert isinstance(await stage.send("x"), Unknown)
        await stage.bound(2)
        with monkeypatch.context() as patched:
            patched.setattr(Bind, "_end_task", broken)  # that ends the library's own loop
            await phones.do("drop")
            await until(lambda: "route main" in caplog.text and "a bug" in caplog.text)
            await until(lambda: any("a fault of the SMPP carrier, route" in each for each in told(caplog)))
        await stage.bound(3)
        assert isinstance(await stage.send("goes on"), Sent)
        assert await phones.answer(await phones.text(PHONE, OURS, "and comes in")) == 0


async def test_nothing_is_printed_and_no_text_logged(
    smsc: Smsc,
    phones: PhoneNetwork,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(1)
    async with on_stage(smsc, phones, tmp_path) as stage:
        await stage.send("secret words")
        await phones.answer(await phones.text(PHONE, OURS, "secret words"))
        await phones.rule(status=0x45)
        await stage.send("secret words")
        await phones.do("drop")
        await stage.bound(2)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
    assert "secret" not in caplog.text
    assert "connected to 127.0.0.1" in caplog.text


async def test_pauses_grow_and_begin_anew_after_a_steady_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    now = [100.0]
    monkeypatch.setattr("backends.sms.smpp.library.time.monotonic", lambda: now[0])
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("backends.sms.smpp.library.asyncio.sleep", sleep)
    standing = Standing("main", "host", 1)
    retry = Retry(Times(quick=0.5, first=1.0, most=8.0, login=60.0, steady=30.0), standing)
    for _ in range(6):
        await retry.wait()
    assert waited == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    retry.reset()
    now[0] += 5  # a link that breaks at once does not begin anew
    await retry.wait()
    retry.reset()
    now[0] += 31
    await retry.wait()
    standing.failed("wrong", wrong_login=True)
    await retry.wait()
    assert waited[6:] == [8.0, 0.5, 60.0]


async def test_nothing_is_written_to_a_link_that_is_over() -> None:
    class Writer:
        written = b""
        closing = False
        fails = False

        def is_closing(self) -> bool:
            return self.closing

        def write(self, octets: bytes) -> None:
            self.written += octets

        async def drain(self) -> None:
            if self.fails:
                raise ConnectionResetError

    writer = Writer()
    link = Link(writer)  # type: ignore[arg-type]
    assert await link.answer(DELIVER_SM, 7, 0)
    assert writer.written == write_frame(0x80000005, 0, 7, b"\0")
    writer.fails = True
    assert not await link.answer(DELIVER_SM, 8, 0)
    writer.written, writer.closing = b"", True
    assert not await link.answer(DELIVER_SM, 9, 0)
    writer.closing = writer.fails = False
    link.end()
    assert not await link.answer(DELIVER_SM, 10, 0)
    assert writer.written == b""
