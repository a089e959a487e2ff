"""Registrations, subscriptions, kept rooms, cursors; and that their secrets stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Connection

from bridge.store.engine import Store
from bridge.store.errors import VaultError
from bridge.store.kept_rooms import KeptRoom
from bridge.store.registrations import Registration
from bridge.store.room_resources import RoomResource
from bridge.store.subscriptions import Subscription
from bridge.store.vault import Vault, generate_key
from tests.store.conftest import Opener

IRC, MAIL = "irc.example.test", "mail.example.test"
ROMEO, JULIET = "romeo@example.test", "juliet@example.test"


def registered(
    user: str = ROMEO, network: str = "irc.libera.chat", password: str = "correct horse"
) -> Registration:
    return Registration(IRC, user, network, {"nick": "romeo\n"}, {"password": password})


async def test_registrations(store: Store) -> None:
    assert await store.registrations.get(IRC, ROMEO, "") is None
    bare = Registration(IRC, ROMEO, "", {}, {})
    mail = Registration(MAIL, ROMEO, "", {"address": "r@example.org"}, {"password": "x"})
    for registration in (registered(JULIET), registered(), bare, mail):
        await store.registrations.put(registration)
    assert await store.registrations.get(IRC, ROMEO, "irc.libera.chat") == registered()
    assert await store.registrations.list(IRC) == [registered(JULIET), bare, registered()]
    assert await store.registrations.list_for(IRC, ROMEO) == [bare, registered()]
    await store.registrations.put(registered(password="another"))
    assert await store.registrations.get(IRC, ROMEO, "irc.libera.chat") == registered(password="another")
    assert await store.registrations.remove(IRC, ROMEO, "irc.libera.chat")
    assert not await store.registrations.remove(IRC, ROMEO, "irc.libera.chat")
    assert await store.registrations.list_for(IRC, ROMEO) == [bare]
    assert "correct horse" not in repr(registered())


async def test_subscriptions(store: Store) -> None:
    nick = Subscription(IRC, ROMEO, "nick%irc.libera.chat", True, False, "Nick")
    room = Subscription(IRC, ROMEO, "#r%irc.libera.chat", True, True)
    other = Subscription(IRC, JULIET, "nick%irc.libera.chat", False, True)
    for subscription in (nick, room, other, other):
        await store.subscriptions.put(subscription)
    assert await store.subscriptions.get(IRC, ROMEO, "nick%irc.libera.chat") == nick
    assert await store.subscriptions.list(IRC) == [other, room, nick]
    assert await store.subscriptions.list_for(IRC, ROMEO) == [room, nick]
    await store.subscriptions.put(nick._replace(puppet_subscribed=True))
    found = await store.subscriptions.get(IRC, ROMEO, nick.local)
    assert found is not None
    assert found.puppet_subscribed is True
    await store.subscriptions.remove(IRC, ROMEO, nick.local)
    await store.subscriptions.remove(IRC, ROMEO, nick.local)
    assert await store.subscriptions.get(IRC, ROMEO, nick.local) is None


async def test_kept_rooms(store: Store) -> None:
    open_room = KeptRoom(IRC, ROMEO, "irc.libera.chat", "#r", "romeo")
    closed_room = KeptRoom(IRC, ROMEO, "irc.libera.chat", "#secret", "romeo", "room key")
    await store.kept_rooms.put(closed_room)
    await store.kept_rooms.put(open_room)
    assert await store.kept_rooms.list(IRC) == [open_room, closed_room]
    assert await store.kept_rooms.list(MAIL) == []
    await store.kept_rooms.put(open_room._replace(nick="montague"))
    await store.kept_rooms.remove(IRC, ROMEO, "irc.libera.chat", "#secret")
    assert await store.kept_rooms.list(IRC) == [open_room._replace(nick="montague")]
    assert "room key" not in repr(closed_room)


async def test_room_resources(store: Store) -> None:
    phone = RoomResource(IRC, ROMEO, "irc.libera.chat", "#r", f"{ROMEO}/phone", "romeo", 2)
    laptop = phone._replace(resource=f"{ROMEO}/laptop", joined_at=1)
    other = phone._replace(gateway=MAIL)
    before = store.writer.transactions
    for resource in (phone, laptop, other):
        store.room_resources.put(resource)
    await store.writer.flush()
    assert store.writer.transactions - before <= 2, "they are written together"
    assert await store.room_resources.list(IRC) == [laptop, phone]
    store.room_resources.put(phone._replace(nick="montague", joined_at=3))
    store.room_resources.remove(*laptop[:5])
    store.room_resources.remove(*laptop[:5])
    store.room_resources.remove(*phone[:3], "#another", phone.resource)
    await store.writer.flush()
    assert await store.room_resources.list(IRC) == [phone._replace(nick="montague", joined_at=3)]
    assert await store.room_resources.list(MAIL) == [other]


async def test_cursors(store: Store) -> None:
    assert await store.cursors.get("a", "uid") is None
    await store.cursors.put("a", "uid", "1")
    await store.cursors.put("a", "uid", "2")
    await store.cursors.put("b", "uid", "3")
    assert await store.cursors.get("a", "uid") == "2"
    store.cursors.put("a", "uid", "4")
    assert await store.cursors.get("a", "uid") == "4", "a read sees the write just before it"


async def test_no_secret_is_in_the_database(open_store: Opener, url: str, tmp_path: Path) -> None:
    store = await open_store()
    await store.registrations.put(registered())
    await store.kept_rooms.put(KeptRoom(IRC, ROMEO, "n", "#r", "romeo", "room key"))
    everything = await store.writer.submit_unit(all_rows)
    await store.close()
    if url.startswith("sqlite"):
        everything += b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"romeo" in everything
    assert b"correct horse" not in everything
    assert b"room key" not in everything


def all_rows(connection: Connection) -> bytes:
    rows = [connection.execute(text(f"SELECT * FROM {table}")) for table in ("registrations", "kept_rooms")]
    values = (value for found in rows for row in found for value in row)
    return b"|".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


async def test_a_secret_moved_to_another_row_is_locked(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await store.registrations.put(registered())
    await store.registrations.put(registered(JULIET, password="juliet's"))
    other = 'SELECT secrets FROM registrations r WHERE r."user" = :other'
    swap = text(f"UPDATE registrations SET secrets = ({other})")
    await store.writer.submit_unit(lambda connection: connection.execute(swap, {"other": JULIET}).rowcount)
    found = await store.registrations.list(IRC)
    assert [(row.user, row.locked, dict(row.secrets)) for row in found] == [
        (JULIET, False, {"password": "juliet's"}),
        (ROMEO, True, {}),
    ]
    assert "belongs to another row" in caplog.text
    with pytest.raises(VaultError):
        await store.registrations.put(found[1])


async def test_the_wrong_key_file_locks_but_loses_nothing(open_store: Opener, vault: Vault) -> None:
    first = await open_store()
    room = KeptRoom(IRC, ROMEO, "n", "#r", "romeo", "room key")
    await first.registrations.put(registered())
    await first.kept_rooms.put(room)
    await first.close()
    wrong = await open_store(Vault([generate_key()]))
    found = await wrong.registrations.get(IRC, ROMEO, "irc.libera.chat")
    assert found is not None
    assert found.locked
    assert found.settings == {"nick": "romeo\n"}
    (locked,) = await wrong.kept_rooms.list(IRC)
    assert locked.locked
    assert locked.password == ""
    with pytest.raises(VaultError):
        await wrong.kept_rooms.put(locked)
    with pytest.raises(VaultError):
        await wrong.rotate_secrets()
    await wrong.close()
    right = await open_store()
    assert await right.registrations.list(IRC) == [registered()]
    assert await right.kept_rooms.list(IRC) == [room]


async def test_rotation(open_store: Opener) -> None:
    old, new = generate_key(), generate_key()
    first = await open_store(Vault([old]))
    people = [f"user{number:03}@example.test" for number in range(450)]
    for user in people:
        await first.registrations.put(registered(user, password=user))
    await first.registrations.put(Registration(IRC, ROMEO, "", {}, {}))
    await first.kept_rooms.put(KeptRoom(IRC, ROMEO, "n", "#r", "romeo", "room key"))
    await first.kept_rooms.put(KeptRoom(IRC, ROMEO, "n", "#open", "romeo"))
    await first.close()

    second = await open_store(Vault([new, old]))
    await second.registrations.put(registered(people[7], password=people[7]))
    assert await second.rotate_secrets() == 450
    assert await second.rotate_secrets() == 0
    await second.close()

    third = await open_store(Vault([new]))
    found = await third.registrations.list(IRC)
    assert [row.secrets.get("password") for row in found] == [None, *people]
    assert not any(row.locked for row in found)
    assert [room.password for room in await third.kept_rooms.list(IRC)] == ["", "room key"]
