"""The receivers and their channels: what each one accepted last, what waits, and what can never be sent. Pure."""

from collections.abc import Mapping

from monitor.config.monitor import Config
from monitor.daemon.read.fields import Time, read_model
from monitor.notify.outbox import Failing
from monitor.runtime.clock import Instant

Channel = tuple[str, str]
"""A receiver and its channel (``slack/0``)."""


@read_model
class ChannelSummary:
    """One channel of a receiver."""

    receiver: str
    channel: str
    last_sent_at: Time | None
    """When it last accepted a notification; null if it never did, or so long ago that it is not known any more."""
    waiting: int
    oldest_waiting_at: Time | None
    """When the oldest notification that waits was made."""
    dead_letters: int
    """The number of notifications that it refused for good."""
    trouble: str
    """Why it accepts nothing; empty while it does."""
    failing_since: Time | None
    takes_state: bool
    """Whether it gets all firing alerts again and again, such as an Alertmanager, rather than single notifications."""
    is_configured: bool
    """Whether it is in the configuration. Notifications to one that is not wait until it comes back."""


@read_model
class ReceiverSummary:
    """A receiver with its channels."""

    name: str
    is_configured: bool
    channels: tuple[ChannelSummary, ...]


def receivers_of(
    config: Config,
    last_sent: Mapping[Channel, Instant],
    waiting: Mapping[Channel, tuple[int, Instant]],
    dead: Mapping[Channel, int],
    failing: Mapping[Channel, Failing],
) -> tuple[ReceiverSummary, ...]:
    """Returns the receivers of the configuration, then those that are gone and for which something waits or is dead."""
    configured = {
        (receiver.name, channel): entry.takes_state
        for receiver in config.receivers
        for channel, entry in receiver.channels
    }
    names = dict.fromkeys([*(receiver.name for receiver in config.receivers), *(name for name, _ in [*waiting, *dead])])
    here = dict.fromkeys([*configured, *waiting, *dead])

    def channel(key: Channel) -> ChannelSummary:
        count, oldest = waiting.get(key, (0, None))
        trouble = failing.get(key)
        return ChannelSummary(
            receiver=key[0],
            channel=key[1],
            last_sent_at=last_sent.get(key),
            waiting=count,
            oldest_waiting_at=oldest,
            dead_letters=dead.get(key, 0),
            trouble="" if trouble is None else trouble.why,
            failing_since=None if trouble is None else trouble.since,
            takes_state=configured.get(key, False),
            is_configured=key in configured,
        )

    return tuple(
        ReceiverSummary(
            name,
            any(receiver.name == name for receiver in config.receivers),
            tuple(channel(key) for key in here if key[0] == name),
        )
        for name in names
    )
