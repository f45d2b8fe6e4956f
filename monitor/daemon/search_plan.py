"""Makes the plan of polling from a search of the configuration, and says how far back it reads."""

from monitor.config.monitor import Config, Search
from monitor.ingest.poll.plan import SearchPlan


def plan_of(search: Search) -> SearchPlan:
    """Returns the search's plan for polling."""
    resweeps = tuple((sweep.back, sweep.every) for sweep in search.resweep)
    return SearchPlan(search.account, search.name, search.question, search.every, resweeps, search.settle)


def deepest_sweeps_of(account: str, config: Config) -> dict[str, str | None]:
    """Returns by search the key in a cursor's ``swept`` of the sweep that looks furthest back; None without sweeps."""
    return {search.name: _deepest(search) for search in config.searches if search.account == account}


def _deepest(search: Search) -> str | None:
    sweeps = plan_of(search).sweeps
    return str(sweeps[0][0]) if sweeps else None
