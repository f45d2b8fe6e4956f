"""Works through the past for rules that need it: a new rule of the kind `shift` learns from the history that is there.

That takes seconds, which nothing else waits for: it is done some milliseconds at a time.
"""

from typing import Final

import trio

from monitor.daemon.pipeline import Pipeline

PAUSE: Final = 0.02
"""Seconds between two pieces."""


async def work_through_the_past(pipeline: Pipeline) -> None:
    """Runs until it is stopped."""
    while True:
        news = pipeline.news
        if await pipeline.catch_up():
            await trio.sleep(PAUSE)
        else:
            await news.wait()
