"""The model of the console channel, which writes to standard output."""

from monitor.config.monitor.channels.model import ChannelModel


class Console(ChannelModel):
    """The terminal, or wherever standard output goes."""

    kind = "console"
    listed = "[{}]: the terminal."
