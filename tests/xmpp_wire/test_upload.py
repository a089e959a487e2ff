"""Files for users' clients, on the upload services of real servers (XEP-0363)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.api import TransferFailed
from bridge.xmpp.upload import Uploads
from tests.peers.ejabberd import Ejabberd
from tests.peers.prosody import Prosody
from tests.xmpp_wire.raw import linked, polled

USER = "alice@example.test"


@pytest.fixture(params=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest) -> Prosody | Ejabberd:
    found: Prosody | Ejabberd = request.getfixturevalue(request.param)
    return found


async def test_a_file_is_there_for_everybody(server: Any, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(b"\x89PNG" * 5000)
    async with linked(server.component_port) as link:
        await polled(lambda: link.up)
        uploads = Uploads(link, "example.test", link.config.domain)
        found = await uploads.upload(USER, file, "höhe & breite.png", "image/png")
        assert (found.name, found.media_type, found.size) == ("höhe & breite.png", "image/png", 20_000)
        assert uploads.keeps(found.url)
        async with aiohttp.ClientSession() as session, session.get(found.url) as response:
            assert await response.read() == file.read_bytes()


async def test_what_the_service_does_not_take(prosody: Prosody, tmp_path: Path) -> None:
    file = tmp_path / "film"
    with file.open("wb") as big:
        big.truncate(21 * 1024 * 1024)
    async with linked(prosody.component_port) as link:
        await polled(lambda: link.up)
        uploads = Uploads(link, "example.test", link.config.domain)
        with pytest.raises(TransferFailed, match="up to 20480 KiB"):
            await uploads.upload(USER, file, "film.mkv", "video/x-matroska")
        nowhere = Uploads(link, "irc.example.test", link.config.domain)
        with pytest.raises(TransferFailed) as failed:
            await nowhere.upload(USER, file, "film.mkv", "video/x-matroska")
        assert "place for files" in str(failed.value) or failed.value.again


async def test_where_files_are_is_learnt_without_one(prosody: Prosody) -> None:
    async with linked(prosody.component_port) as link:
        await polled(lambda: link.up)
        uploads = Uploads(link, "example.test", link.config.domain)
        await uploads.learn()
        server = f"http://127.0.0.1:{prosody.http_port}"
        assert uploads.keeps(f"{server}/file_share/token/file.txt")
        for other in (
            f"http://127.0.0.1:{prosody.http_port + 1}/file_share/token/file.txt",
            f"http://localhost:{prosody.http_port}/file_share/token/file.txt",
            f"{server}/api/register",
            f"{server}/file_share",
            f"{server}//file_share/x",
            f"{server}/file_share/../api/register",
            f"{server}/file_share/%2e%2e/api/register",
            f"{server}/file_share/%2E%2e%2fapi/register",
            f"{server}/file_share/..\\api/x",
            "http://[::1/file_share/x",
            "",
        ):
            assert not uploads.keeps(other), other
