"""Who may come in: networks, connections, mails a minute."""

from __future__ import annotations

from backends.email.smtp.door import NOT_FROM_THERE, TOO_FAST, TOO_MANY, Door
from backends.email.smtp.inbound import PRIVATE, ListenLimits


def test_networks() -> None:
    door = Door(PRIVATE, ListenLimits())
    for peer in ("127.0.0.1", "::1", "::ffff:10.1.2.3", "192.168.1.9", "fd00::1"):
        assert door.enter(peer) is None
    for peer in ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1%eth0"):
        assert door.enter(peer) == NOT_FROM_THERE
    assert door.connections == 5
    assert Door((), ListenLimits()).enter("192.0.2.1") is None


def test_connections() -> None:
    door = Door((), ListenLimits(connections=3, per_ip=2))
    assert [door.enter("192.0.2.1") for _ in range(3)] == [None, None, TOO_MANY]
    assert door.enter("2001:db8::1") is None
    assert door.enter("192.0.2.2") == TOO_MANY
    door.leave("192.0.2.1")
    assert door.enter("192.0.2.2") is None
    neighbours = Door((), ListenLimits(per_ip=1))
    assert neighbours.enter("2001:db8::1") is None
    assert neighbours.enter("2001:db8::2") == TOO_MANY
    assert neighbours.enter("2001:db8:0:1::2") is None


def test_mails() -> None:
    door = Door((), ListenLimits(mails_per_minute=60))
    assert [door.mail("192.0.2.1", 0.0) for _ in range(61)] == [None] * 60 + [TOO_FAST]
    assert door.mail("192.0.2.2", 0.0) is None
    assert door.mail("192.0.2.1", 1.0) is None
    assert door.mail("192.0.2.1", 1.0) == TOO_FAST
    for number in range(10_000):
        door.mail(f"10.0.{number // 256}.{number % 256}", 100.0 * number)
    assert len(door._left) <= 4096
