"""Dead letters are sent again by hand, through the real outbox."""

import pytest
import trio

from monitor.daemon.delivery_actions import DeliveryActions
from monitor.daemon.health import Health
from monitor.daemon.metrics import Metrics
from monitor.daemon.services import Services
from monitor.notify.channels.protocol import Rejected
from monitor.notify.outbox import Outbox, deliver
from monitor.runtime.clock import TrioClock
from monitor.runtime.errors import NothingThere
from monitor.store.protocol import Commit, NotificationFilter, Pending, Retried
from monitor.store.sqlite import open_sqlite
from tests.fakes.inline_store import InlineStoreFront
from tests.fakes.scripted_notifier import ScriptedNotifier
from tests.store.store_samples import NOW, notification


async def test_a_refused_notification_is_sent_again_by_hand(tmp_path, autojump_clock, nursery):
    store, clock, outbox = open_sqlite(tmp_path / "monitor.db"), TrioClock(NOW), Outbox()
    front, metrics = InlineStoreFront(store), Metrics(clock)
    channel = ScriptedNotifier([Rejected("channel_not_found"), Rejected("channel_not_found")])
    store.commit(Commit(outbox=[Pending("slack/0", notification(key, episode=key)) for key in ("k1", "k2")]))
    await nursery.start(
        lambda task_status: deliver(front, {("ops", "slack/0"): channel}, clock, outbox=outbox, task_status=task_status)
    )
    await trio.sleep(60)
    dead = store.notifications(NotificationFilter(outcome="dead"))
    assert len(dead) == 2
    assert ("ops", "slack/0") in outbox.failing
    actions = DeliveryActions(front, Services(clock, metrics, Health(), outbox.wake))
    with pytest.raises(NothingThere):
        await actions.retry_dead_letters(notification=dead[0].id + 99)
    assert await actions.retry_dead_letters(notification=dead[1].id) == Retried(1, 0)
    await trio.sleep(60)
    assert channel.keys[2:] == ["k1"]
    assert await actions.retry_dead_letters() == Retried(1, 0)
    await trio.sleep(60)
    assert [one.outcome for one in store.notifications()] == ["sent", "sent"]
    assert outbox.failing == {}, "the channel works again, so its alert ends"
    assert b"routee_monitor_dead_letters{" not in metrics.exposition()[0]
    outbox.stop()
    store.close()
