"""The channels of a receiver, as people write them. A new one is its model, in a file of its own, and one word here.

`monitor.notify.channels` has what sends through them.
"""

from typing import Final

from monitor.config.monitor.channels.alertmanager import Alertmanager
from monitor.config.monitor.channels.apprise import Apprise
from monitor.config.monitor.channels.console import Console
from monitor.config.monitor.channels.model import ChannelModel
from monitor.config.monitor.channels.slack import Slack
from monitor.config.monitor.channels.webhook import Webhook

__all__ = ["CHANNEL_MODELS", "Alertmanager", "Apprise", "ChannelModel", "Console", "Slack", "Webhook"]

CHANNEL_MODELS: Final[dict[str, type[ChannelModel]]] = {
    model.kind: model for model in (Slack, Webhook, Alertmanager, Apprise, Console)
}
"""The model of each kind, by its key, in the order in which a receiver's channels are told."""
