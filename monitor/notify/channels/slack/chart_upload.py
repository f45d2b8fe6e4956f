"""Draws pictures of alerts and uploads them into the thread of a Slack message; notifications never wait for them."""

import http.client
import logging
import threading
from functools import partial
from typing import Final

import trio
from slack_sdk.errors import SlackApiError, SlackClientError

from monitor.model.notification import AlertView, Notification
from monitor.notify.channels.slack.client import SlackClient
from monitor.notify.channels.slack.errors import reason
from monitor.notify.render.alert_chart import worth_drawing
from monitor.notify.render.alert_sentence import sentence
from monitor.notify.render.chart import NoPictures, png, problem
from monitor.notify.render.notification_text import shown_views
from monitor.notify.render.sanitize import clean, clip
from monitor.runtime.transport_errors import trouble

_REASONS: Final = frozenset({"first", "escalated", "repeat", "all resolved", "test"})
"""Reasons of notifications for which a new picture is drawn."""

_MOST_WAITING: Final = 4
"""How many pictures may wait or be under way; when many alerts fire at once, those of the first are enough."""

_TEST_LIMIT: Final = 20.0
"""Seconds that a test waits for its picture."""

log = logging.getLogger(__name__)


class Charts:
    """The pictures of one notifier, uploaded one at a time. Each new reason for a missing picture is logged once until one succeeds."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        self._slots = threading.BoundedSemaphore(_MOST_WAITING)
        self._one = threading.Lock()
        self._logged = ""

    def problem(self) -> str:
        """Returns why no picture can be drawn; empty if they can."""
        return problem()

    async def show(self, notification: Notification, thread: dict[str, str]) -> None:
        """Begins to upload the picture of the worst alert, if `worth_showing`. Only a test, whose process ends with it, waits for the upload.

        ``thread`` is the receipt of the message. Raises nothing.
        """
        view = worth_showing(notification)
        if view is None or not {"channel", "ts"} <= thread.keys() or not self._slots.acquire(blocking=False):
            return
        upload = partial(self._upload, view, thread)
        if notification.reason == "test":
            with trio.move_on_after(_TEST_LIMIT):
                await trio.to_thread.run_sync(upload, abandon_on_cancel=True)
        else:
            # A bare thread, not a trio task: sending goes on at once, and uploads under way are dropped when the process ends.
            trio.lowlevel.start_thread_soon(upload, lambda _: None)

    def _upload(self, view: AlertView, thread: dict[str, str]) -> None:
        """Uploads the picture; runs in a thread."""
        try:
            with self._one:
                self._upload_now(view, thread)
            self._logged = ""
        except NoPictures as missing:
            self._report(str(missing))
        except SlackApiError as error:
            self._report(f"Slack refuses it: {reason(error)}")
        # The text of slack-sdk's own errors is left out: it may contain the address of the upload.
        except (OSError, http.client.HTTPException, SlackClientError, ValueError) as error:
            self._report(f"Slack could not be reached with it: {trouble(error, quote=False)}")
        # A picture must not cost an alert: any unexpected error is logged by its type.
        except Exception as error:  # noqa: BLE001 - a picture must not cost an alert
            self._report(f"it could not be drawn ({type(error).__name__}); please report this")
        finally:
            self._slots.release()

    def _upload_now(self, view: AlertView, thread: dict[str, str]) -> None:
        said = clip(sentence(view), 500)
        self._client.files_upload_v2(
            filename="chart.png",
            content=png(view),
            title=clean(view.name),
            alt_txt=said,
            channel=thread["channel"],
            thread_ts=thread["ts"],
        )

    def _report(self, why: str) -> None:
        if why != self._logged:
            self._logged = why
            log.warning("A message in Slack was sent without its chart: %s", why)


def worth_showing(notification: Notification) -> AlertView | None:
    """Returns the worst alert if its picture is worth showing: if it has enough values and the notification brings something new."""
    views = shown_views(notification)
    if notification.reason not in _REASONS or not views or notification.is_report:
        return None
    return views[0] if worth_drawing(views[0]) else None
