"""The times at which a recurring silence is active, in Alertmanager's words for time intervals. Alertmanager itself has no such silences."""

from pydantic import ValidationError

from monitor.config.monitor.interval import Interval
from monitor.config.yaml.model import notes_of
from monitor.routing.time_intervals import TimeInterval


def read_during(data: object) -> TimeInterval:
    """The times that a request names (``{"weekdays": ["saturday"], "times": [...]}``). Raises ValueError with everything that is wrong."""
    try:
        interval = Interval.model_validate(data).interval
    except ValidationError as error:
        where = (".".join(map(str, ("during", *note.path))) + f": {note.message}" for note in notes_of(error, data))
        raise ValueError("; ".join(where)) from None
    if interval == TimeInterval(location=interval.location):
        raise ValueError("during: has no times; leave it out for a silence without breaks")
    return interval
