"""Networks that were held back, and go on."""

from __future__ import annotations

import asyncio

from tests.core.conftest import World
from tests.core.face import until
from tests.core.test_queues import online


async def test_they_go_on_one_after_the_other(world: World) -> None:
    """Each may bring as much as there is room for."""
    host = (await online(world)).host
    went: list[int] = []
    came: asyncio.Queue[int] = asyncio.Queue()

    async def one(number: int) -> None:
        await host.drain()
        assert not world.face.congested
        went.append(number)
        came.put_nowait(number)
        asyncio.get_running_loop().call_soon(vars(world.face).__setitem__, "congested", True)

    world.face.congested = True
    waiting = [asyncio.create_task(one(number)) for number in range(20)]
    for number in range(20):
        await until(lambda: world.face.congested)
        assert went == list(range(number))
        world.face.congested = False
        await came.get()
    await asyncio.gather(*waiting)


async def test_one_that_gives_up_holds_up_nobody(world: World) -> None:
    host = (await online(world)).host
    world.face.congested = True
    first, second = asyncio.create_task(host.drain()), asyncio.create_task(host.drain())
    await asyncio.sleep(0)
    first.cancel()
    world.face.congested = False
    async with asyncio.timeout(5):
        await second
