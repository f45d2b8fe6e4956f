"""What of a rule a backtest cannot know: answers of Routee about the balance and about campaigns are not kept."""

from monitor.config.rules import Balance, Campaign, Rule

_BALANCE = "not judged, because past balances are not known"
_CAMPAIGN = "judged by messages only, because Routee's past answers about campaigns are not known"


def is_judged(rule: Rule) -> bool:
    """Whether anything of the rule can be judged over the past."""
    return not isinstance(rule, Balance)


def unknown(rule: Rule) -> str:
    """In words what of the rule cannot be known of the past; empty where all can."""
    match rule:
        case Balance():
            return _BALANCE
        case Campaign() if rule.takes_whole_campaigns:
            return f"{_CAMPAIGN}{_campaign(rule)}"
        case _:
            return ""


def _campaign(rule: Campaign) -> str:
    """What follows from that for the problems that the rule watches."""
    said = []
    if rule.short_below is not None:
        said.append("no campaign is found to have ended short")
    if rule.stalled_for is not None:
        said.append("a paused campaign can look stalled, and one that stopped early can look ended")
    if rule.ended is not None:
        said.append("ends can come earlier or later")
    return f" ({'; '.join(said)})" if said else ""
