"""Files that users attach are fetched within a size, over http and https only, and not from private
networks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.api import Attachment, TransferFailed
from bridge.core.download import Downloads
from bridge.core.netguard import NetworkGuard

BODY = b"x" * 100_000
PLACES = "picture.png plain endless away round inside beside gone ill".split()


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def answer(request: web.Request) -> web.StreamResponse:
        where = request.match_info["what"]
        if where == "picture.png":
            return web.Response(body=BODY, content_type="image/png")
        if where == "plain":
            return web.Response(body=BODY, content_type="application/octet-stream")
        if where == "endless":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(20):
                await response.write(BODY)
            return response
        if where == "away":
            raise web.HTTPFound("/picture.png")
        if where == "round":
            raise web.HTTPFound("/round")
        if where == "beside":
            raise web.HTTPFound("/api")
        if where == "inside":
            raise web.HTTPFound("http://10.0.0.1/secret")
        raise web.HTTPNotFound if where == "gone" else web.HTTPServiceUnavailable

    app = web.Application()
    app.router.add_get("/{what}", answer)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


def downloads(server: TestServer, private: bool = False) -> Downloads:
    """Of a gateway whose users' files are on that server."""
    places = [f"http://127.0.0.1:{server.port}/{name}" for name in PLACES]
    return Downloads(NetworkGuard(private), places.__contains__)


async def test_a_file_and_what_it_is(server: TestServer, tmp_path: Path) -> None:
    for place in ("picture.png", "away"):
        url = f"http://127.0.0.1:{server.port}/{place}"
        found = await downloads(server).fetch(Attachment(url), tmp_path / place, 200_000)
        assert (found.name, found.media_type, found.size) == ("picture.png", "image/png", 100_000)
        assert (tmp_path / place).read_bytes() == BODY
    named = Attachment(f"http://127.0.0.1:{server.port}/plain", "notes.pdf")
    found = await downloads(server).fetch(named, tmp_path / "plain", 200_000)
    assert (found.name, found.media_type) == ("notes.pdf", "application/pdf")


@pytest.mark.parametrize(
    ("place", "text", "again"),
    [
        ("picture.png", "bigger than", False),
        ("endless", "bigger than", False),
        ("round", "round in circles", False),
        ("inside", "private networks", False),
        ("beside", "private networks", False),
        ("gone", "answers 404", False),
        ("ill", "answers 503", True),
    ],
)
async def test_what_is_not_fetched(
    server: TestServer, tmp_path: Path, place: str, text: str, again: bool
) -> None:
    url = f"http://127.0.0.1:{server.port}/{place}"
    limit = 1000 if place == "picture.png" else 1_000_000
    with pytest.raises(TransferFailed, match=text) as failed:
        await downloads(server).fetch(Attachment(url), tmp_path / "file", limit)
    assert failed.value.again is again


@pytest.mark.parametrize(
    "url",
    [
        "aesgcm://files.example/x#00",
        "file:///etc/passwd",
        "http:///x",
        "http://127.0.0.1:1/x",
        "http://[::1]:1/x",
        "http://192.168.1.1/x",
        "http://localhost:1/x",
        "http://[::1/x",
        "http://example.org:port/x",
        "http://a..b/x",
        "https://\udc80/x",
        "http://" + "a" * 300 + "/x",
    ],
)
async def test_addresses_that_are_refused(server: TestServer, tmp_path: Path, url: str) -> None:
    with pytest.raises(TransferFailed):
        await downloads(server).fetch(Attachment(url), tmp_path / "file", 1000)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("host", ["\uff11\uff12\uff17.0.0.1", "127.0.0.1.", "127.1", "2130706433"])
async def test_this_machine_written_in_other_ways(server: TestServer, tmp_path: Path, host: str) -> None:
    """The client may read a host otherwise than the standard library does."""
    attachment = Attachment(f"http://{host}:{server.port}/plain")
    with pytest.raises(TransferFailed, match=r"private networks|is not one") as failed:
        await downloads(server).fetch(attachment, tmp_path / "file", 200_000)
    assert not failed.value.again
    assert not (tmp_path / "file").exists()


async def test_private_networks_where_the_admin_allows_them(server: TestServer, tmp_path: Path) -> None:
    url = f"http://localhost:{server.port}/picture.png"
    found = await downloads(server, private=True).fetch(Attachment(url), tmp_path / "file", 200_000)
    assert found.size == 100_000
