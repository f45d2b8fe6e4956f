"""How a campaign's messages are counted for its page."""

from monitor.daemon.read.campaigns import CampaignBreakdown, CampaignCounts
from monitor.model.account_state import NOTHING_KNOWN
from monitor.model.batch import batch_of
from monitor.window import Window


def test_every_message_of_a_window_may_have_failed():
    window = Window("main")
    row = {"status": "Failed", "campaign": "Autumn", "campaignTrackingId": "c-1"}
    window.upsert(batch_of([row | {"messageId": f"m{date}", "date": date} for date in range(5, 12)]), "all")
    counts = CampaignCounts(window, 0, 20)
    list(counts.steps())
    [summary] = counts.summaries(NOTHING_KNOWN)
    assert (summary.messages, summary.failed) == (7, 7)
    breakdown = CampaignBreakdown(window, summary)
    list(breakdown.steps())
    spans = breakdown.detail({}).timeline
    assert [sum(one.messages for one in spans), sum(one.failed for one in spans)] == [7, 7]
