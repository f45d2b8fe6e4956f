"""Waits for a program of Prometheus' family to be ready."""

import httpx
import trio

from tests.fakes.waiting import guarded


async def until_ready(url: str) -> None:
    """Returns once ``/-/ready`` is answered with success; raises trio.TooSlowError if it never is."""
    async with httpx.AsyncClient() as client:
        with guarded():
            while True:
                try:
                    if (await client.get(f"{url}/-/ready")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await trio.sleep(0.05)
