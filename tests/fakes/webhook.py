"""A webhook's server: records each request, answers by a script, then with 200."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.http import Answer, Asked, serving


@dataclass
class FakeWebhook:
    """``script`` lists the next answers; after them, every request gets 200."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    script: list[Answer] = field(default_factory=list)

    async def handle(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.script.pop(0) if self.script else Answer()


@asynccontextmanager
async def webhook(*script: Answer) -> AsyncIterator[FakeWebhook]:
    """Yields a running webhook."""
    fake = FakeWebhook(script=list(script))
    async with serving(fake.handle) as url:
        fake.url = f"{url}/hook/very-secret-path"
        yield fake
