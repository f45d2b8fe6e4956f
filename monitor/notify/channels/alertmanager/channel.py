"""The Alertmanager channel: makes a client from a receiver's entry."""

import json
from typing import TYPE_CHECKING, Final

from monitor.config.monitor import Alertmanager
from monitor.model.notification import Notification
from monitor.notify.channels.channel import HIDDEN, Channel, ChannelContext, Preview, secret_text
from monitor.notify.channels.origin import origin
from monitor.runtime.clock import SECOND, Clock

if TYPE_CHECKING:
    from monitor.notify.channels.alertmanager.client import AlertmanagerClient


def alertmanager_client(entry: Alertmanager, clock: Clock) -> "AlertmanagerClient":
    """Returns the client of all Alertmanagers of an entry."""
    from monitor.notify.channels.alertmanager.client import AlertmanagerClient, Login

    login = Login(secret_text(entry.bearer_token), entry.username or "", secret_text(entry.password))
    return AlertmanagerClient(entry.addresses, clock=clock, login=login, timeout=entry.timeout / SECOND)


def _make(entry: Alertmanager, channel_context: ChannelContext) -> "AlertmanagerClient":
    return alertmanager_client(entry, channel_context.clock)


def _preview(entry: Alertmanager, notification: Notification, channel_context: ChannelContext) -> Preview:
    from monitor.notify.channels.alertmanager.client import alerts_of

    made = alerts_of(notification, channel_context.clock.now())
    headers = {} if entry.bearer_token is None and entry.username is None else {"Authorization": HIDDEN}
    addresses = ", ".join(map(origin, entry.addresses))
    return Preview(json.dumps(made, indent=2, ensure_ascii=False), made, addresses, headers)


ALERTMANAGER: Final = Channel(Alertmanager, _make, _preview)
