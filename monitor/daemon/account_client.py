"""Builds each account's Routee client."""

from monitor.config.monitor import Account
from monitor.ingest.routee.client import Observer, Routee
from monitor.ingest.routee.retry import RetryPolicy
from monitor.runtime.clock import Clock

_PATIENCE = RetryPolicy()


def routee_client(
    account: Account, clock: Clock, observe: Observer | None = None, retry_policy: RetryPolicy = _PATIENCE
) -> Routee:
    """Returns the account's client; ``observe`` is called for each request, and the clock learns Routee's time."""
    return Routee(
        name=account.name,
        application_id=account.application_id.get_secret_value(),
        application_secret=account.application_secret.get_secret_value(),
        clock=clock,
        api_url=account.api_url,
        auth_url=account.auth_url,
        requests_per_second=account.requests_per_second,
        concurrency=account.concurrency,
        observe=observe or _unobserved,
        retry_policy=retry_policy,
    )


def _unobserved(endpoint: str, outcome: str, seconds: float) -> None:
    pass
