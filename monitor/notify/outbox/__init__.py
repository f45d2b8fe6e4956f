"""The outbox loop: what is committed is sent, in order, until each channel has taken it.

Every channel of every receiver has a task of its own, so that none holds up another. Within a channel the notifications of
one group go strictly one after the other; groups do not wait for each other, and a channel that works may take several at
once. A notification is given up only where its channel says that it never will take it (a dead letter), never because time
has passed; one that merely repeats is skipped where a newer one of its episode waits. `monitor.notify.outbox.backoff` says when a
failed one is tried again.

The receipt is written after the channel took it. A crash between the two sends that one notification again, with the same key.
"""

from monitor.notify.outbox.handle import DeliveryObserver, Failing, Outbox
from monitor.notify.outbox.tasks import GRACE, deliver

__all__ = ["GRACE", "DeliveryObserver", "Failing", "Outbox", "deliver"]
