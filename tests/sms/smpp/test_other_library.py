"""A second, independent implementation (smpplib) reads what we write, writes what we read, and sees the same
SMSC as we do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import smpplib.client
import smpplib.command
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm
import smpplib.smpp

from backends.sms.smpp.framing import write_frame
from backends.sms.smpp.incoming import Tlv, read_deliver
from backends.sms.smpp.options import SmppOptions
from backends.sms.smpp.submits import Writer
from backends.sms.text import gsm
from backends.sms.values import Outgoing, Verdict
from bridge.api import ContactId
from tests.peers.smsc import PASSWORD, SYSTEM_ID, PhoneNetwork, Smsc
from tests.sms.smpp.stage import OURS, PHONE, ids, on_stage

TEXTS = ["hello @ {€}", "žluťoučký 🐎", "long € text " * 30, "dlouhý žluťoučký 🐎 " * 15]


class Sequence:
    """smpplib's PDUs want somebody who counts."""

    sequence = 1

    def next_sequence(self) -> int:
        return self.sequence


def written(text: str, **more: Any) -> list[Any]:
    """What we write, read by smpplib."""
    options = SmppOptions(host="h", system_id="me", **more)
    submission = Writer(options).write(Outgoing(OURS, ContactId(PHONE), text, "key"))
    return [
        smpplib.smpp.parse_pdu(write_frame(4, 0, n, body), client=Sequence(), allow_unknown_opt_params=True)
        for n, body in enumerate(submission.bodies, 1)
    ]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("concatenation", ["udh8", "udh16", "sar", "payload"])
def test_it_reads_what_we_write(text: str, concatenation: str) -> None:
    pdus = written(text, concatenation=concatenation, validity_hours=24)
    said = ""
    for n, pdu in enumerate(pdus, 1):
        assert pdu.command == "submit_sm"
        assert (pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi) == (OURS[1:].encode(), 1, 1)
        assert (pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi) == (PHONE[1:].encode(), 1, 1)
        assert (pdu.registered_delivery, pdu.validity_period) == (1, b"000001000000000R")
        octets = pdu.message_payload or pdu.short_message
        if pdu.esm_class & smpplib.consts.SMPP_GSMFEAT_UDHI:
            assert octets[octets[0] - 1 : octets[0] + 1] == bytes([len(pdus), n])
            octets = octets[octets[0] + 1 :]
        elif len(pdus) > 1:
            assert (pdu.sar_total_segments, pdu.sar_segment_seqnum) == (len(pdus), n)
        said += octets.decode("utf-16-be") if pdu.data_coding == 8 else gsm.decode(octets)
    assert said == text


@pytest.mark.parametrize("text", TEXTS)
def test_we_read_what_it_writes(text: str) -> None:
    parts, encoding, flag = smpplib.gsm.make_parts(text)
    for n, octets in enumerate(parts, 1):
        pdu = smpplib.smpp.make_pdu(
            "deliver_sm",
            client=Sequence(),
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=PHONE[1:],
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=OURS[1:],
            short_message=octets,
            data_coding=encoding,
            esm_class=flag,
            user_message_reference=7,
            message_state=2,
        )
        found = read_deliver(pdu.generate())
        assert (found.source.digits, found.source.ton, found.destination.digits) == (PHONE[1:], 1, OURS[1:])
        assert (found.octets, found.data_coding, found.esm_class) == (octets, encoding, flag)
        assert (found.number(Tlv.STATE), found.number(0x0204)) == (2, 7)
        assert found.has_header == (len(parts) > 1)
        assert n <= len(parts)


class Other:
    """Somebody with smpplib at the same SMSC: a thread of its own, since it blocks."""

    def __init__(self, port: int) -> None:
        self.answers: list[Any] = []
        self.came: list[Any] = []
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._client = smpplib.client.Client("127.0.0.1", port, allow_unknown_opt_params=True)
        self._client.set_message_sent_handler(lambda pdu: self._tell(self.answers, pdu))
        self._client.set_message_received_handler(lambda pdu: self._tell(self.came, pdu))

    def _tell(self, kept: list[Any], pdu: Any) -> None:
        kept.append(pdu)
        self._loop.call_soon_threadsafe(self._news.set)

    def begin(self) -> None:
        self._client.connect()
        self._client.bind_transceiver(system_id=SYSTEM_ID, password=PASSWORD)

    def listen(self) -> None:
        with contextlib.suppress(smpplib.exceptions.ConnectionError):
            self._client.listen()
        self._client.disconnect()

    def end(self) -> None:
        self._client._socket.shutdown(socket.SHUT_RDWR)  # it has no other way to stop listening

    def submit(self, text: str) -> None:
        parts, encoding, flag = smpplib.gsm.make_parts(text)
        for octets in parts:
            self._client.send_message(
                source_addr_ton=1, source_addr_npi=1, source_addr=OURS[1:],
                dest_addr_ton=1, dest_addr_npi=1, destination_addr=PHONE[1:],
                short_message=octets, data_coding=encoding, esm_class=flag, registered_delivery=True,
            )  # fmt: skip

    async def wait(self, answers: int, came: int) -> None:
        async with asyncio.timeout(10):
            while len(self.answers) < answers or len(self.came) < came:
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def bound_with_smpplib(smsc: Smsc) -> AsyncIterator[Other]:
    other = Other(smsc.port)
    await asyncio.to_thread(other.begin)
    listening = asyncio.create_task(asyncio.to_thread(other.listen))
    try:
        yield other
    finally:
        await asyncio.to_thread(other.end)
        await listening


async def test_both_see_the_same_smsc(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    text = "the same € text " * 15
    await phones.rule(reports=[{"stat": "UNDELIV", "err": "027"}])
    async with bound_with_smpplib(smsc) as other:
        await asyncio.to_thread(other.submit, text)
        await other.wait(2, 2)
    theirs = phones.of_kind("submit")
    await phones.reset()
    await phones.rule(reports=[{"stat": "UNDELIV", "err": "027"}])
    async with on_stage(smsc, phones, tmp_path) as stage:
        outcome = await stage.send(text)
        await stage.desk.wait(lambda: len(stage.desk.reports) == 2)
        assert await phones.inbox(PHONE[1:]) == [text]
    # The SMSC got the same texts from both, and told both the same.
    ours = phones.of_kind("submit")
    said = [[each["pdu"]["short_message"]["message"] for each in submits] for submits in (theirs, ours)]
    assert said[0] == said[1]
    named = [pdu.receipted_message_id.decode() for pdu in other.came]
    assert sorted(named) == sorted(pdu.message_id.decode() for pdu in other.answers)
    assert sorted(report.id for report in stage.desk.reports) == sorted(ids(outcome))
    assert {report.verdict for report in stage.desk.reports} == {Verdict.FAILED}
    assert {pdu.message_state for pdu in other.came} == {smpplib.consts.SMPP_MESSAGE_STATE_UNDELIVERABLE}
