"""x"""

from pathlib import Path

from bridge.api import Sent
from tests.peers.smsc import PhoneNetwork, Smsc
from tests.sms.smpp.stage import OURS, PHONE, ids, on_stage


async def test_first(smsc: Smsc, phones: PhoneNetwork, tmp_path: Path) -> None:
    async with on_stage(smsc, phones, tmp_path) as stage:
        out = await stage.send("hello € world")
        assert isinstance(out, Sent), out
        assert await phones.inbox(PHONE[1:]) == ["hello € world"]
        await stage.desk.wait(lambda: stage.desk.reports)
        assert stage.desk.reports[0].id == ids(out)[0]
        n = await phones.text(PHONE, OURS, "answer")
        assert await phones.answer(n) == 0
        assert stage.desk.texts == ["answer"]
        print(phones.events[-3:])
