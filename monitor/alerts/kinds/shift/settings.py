"""Every constant of the sequential test, with its default."""

from math import log

from monitor.runtime.clock import DAY, HOUR, MINUTE, Duration
from monitor.runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSettings:
    """How the test judges. The first four come from the rule. Evidence is a log likelihood ratio, in nats."""

    odds: float = 3.0
    """The smallest change that matters: the odds of the probability are multiplied by this."""
    false_alarm_every: Duration = 30 * DAY
    """The mean time between false alarms of all groups together."""
    learn: Duration = 72 * HOUR
    """How long a history must be before anything is said."""
    pending: Duration = 3 * MINUTE
    """An alarm that is no older than this is over after little evidence: it was a blip."""

    floors: tuple[float, float, float] = (0.01, 0.20, 0.70)
    """The least probability of each of the three alternatives."""
    steps: tuple[float, float] = (2.5, 10.0)
    """The odds of the second and the third alternative, as multiples of those of the first."""
    above_null: float = 1.6
    """The odds of the first alternative are at least this multiple of the cautious baseline's."""
    null_deviations: float = 0.5
    """By how many standard deviations the cautious baseline is above the baseline."""
    alternatives: float = log(3)
    """What the threshold grows by because there are three alternatives."""
    least_threshold: float = 4.0
    """The least evidence that raises an alarm."""
    gate: float = 4.75
    """An alarm also needs a change of so many standard deviations of chance and of what the probability does by itself."""
    most_unknown: float = 0.5
    """How far a group that is new may usually be from the account's probability, as a standard deviation of the logit."""
    drift: float = 0.12
    """How much a probability is taken to vary by itself over a day, as a part of it (a relative standard deviation)."""
    drift_time: Duration = DAY
    """After this time, what it has drifted to says little (e^-1) of where it is."""
    burst: float = 2.0
    """More messages in a minute than so many times the mean are a burst, which is evidence of its own campaign: it counts for no more than this."""
    least_burst: float = 10.0
    """So many messages in a minute are none yet."""
    blip_over: float = 3.0
    """Evidence of recovery that ends an alarm that is no older than `pending`."""
    over: float = 5.3
    """Evidence of recovery that ends an older alarm."""
    new_normal: Duration = DAY
    """The baseline learns again once an alarm is as old as this."""

    suspicion: float = 0.5
    """The baseline of a small group does not learn while there is this part of the evidence that raises an alarm: it would learn the incident."""
    suspected: Duration = 6 * HOUR
    """Evidence that is older than this, and has raised no alarm, is learned."""
    suspected_messages: float = 50.0
    """Evidence of more messages than this is learned too: left out, a large group would seem to vary less by itself than it does."""
    drift_suspicion: float = 0.2
    """The drift of any group, large or small, is not followed while there is this part of the evidence: it would follow the incident."""

    half_life: Duration = 72 * HOUR
    """After this time, what the baseline has learned counts half."""
    prior_events: float = 1.0
    """A group's baseline begins with as many messages of the account's probability as have so many events."""
    prior_messages: float = 15.0
    """A group's delays begin with so many messages of the account's."""
    prior_probability: float = 0.03
    """The probability before anything is known of the account."""
    prior_account_messages: float = 300.0
    """The number of messages for which `prior_probability` counts in the account's probability."""
    prior_deviation: float = 0.15
    """How much a probability is taken to vary from half hour to half hour, as a part of it (a relative standard deviation), before it is measured."""
    least_deviation: float = 0.075
    """The least that it is taken to vary from half hour to half hour, whatever was measured."""
    prior_blocks: float = 12.0
    """The number of blocks for which `prior_deviation` counts."""
    prior_pairs: float = 5_000.0
    """The number of pairs of messages in one block for which `prior_deviation` counts besides."""
    winsor: float = 3.0
    """A deviation of more standard deviations than this counts as this many when variation is measured."""
    most_overdispersion: float = 0.5
    """The largest overdispersion (the correlation of two messages of one minute or block)."""
    forget: Duration = 14 * DAY
    """A group without a message for so long is forgotten."""
    warm: Duration = 6 * HOUR
    """In the first hours of a history no baseline is there to say what an incident is: all of them are learned."""

    least_daily: float = 50.0
    """A group with fewer messages a day is too small to be judged by itself."""
    least_alone: float = 20.0
    """A group with an alarm and so many messages in the present block is judged by itself, however few it has a day."""
    recent: Duration = 10 * MINUTE
    """The half-life of the probability that is shown while there is no alarm."""
