"""The models of a receiver's channels. A new channel needs a model in a file of its own, and its name in this list.

`monitor.notify.channels` sends through them.
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
"""The model of each kind, by its key, in the order in which a receiver's channels are notified."""
