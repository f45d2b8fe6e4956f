"""The outbox loop: sends committed notifications in order until each channel has accepted them.

Every channel of every receiver has a task of its own, so that none blocks another. Within a channel, the notifications of one group are sent
strictly in order, and what is older about the same alert in another group is tried first. Apart from that groups do not wait for each other, and a
working channel may accept several at once. A notification is given up only if its
channel rejects it for good (a dead letter), never because time has passed; one that merely repeats is skipped if a newer one of its episode
waits. `monitor.notify.outbox.backoff` decides when a failed one is tried again.

The receipt is stored after the channel has accepted the notification. A crash between the two sends that one again, with the same key.
"""

from monitor.notify.outbox.handle import DeliveryObserver, Failing, Outbox
from monitor.notify.outbox.tasks import GRACE, deliver

__all__ = ["GRACE", "DeliveryObserver", "Failing", "Outbox", "deliver"]
