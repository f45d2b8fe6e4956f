"""Makes the plan of polling from a search of the configuration."""

from monitor.config.monitor import Search
from monitor.ingest.poll.plan import SearchPlan


def plan_of(search: Search) -> SearchPlan:
    """Returns the search's plan for polling."""
    resweeps = tuple((sweep.back, sweep.every) for sweep in search.resweep)
    return SearchPlan(search.account, search.name, search.question, search.every, resweeps, search.settle)
