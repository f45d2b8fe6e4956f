"""The terminal."""

from monitor.config.monitor.channels.model import ChannelModel


class Console(ChannelModel):
    """The terminal, or wherever standard output goes."""

    kind = "console"
    listed = "[{}]: the terminal."
