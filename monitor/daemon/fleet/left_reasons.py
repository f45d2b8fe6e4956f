"""Says why a worker leaves an account to others, and what to do about it; what each worker's row in the store tells the others."""

from typing import Final

from monitor.runtime.clock import Duration, format_duration

CAN_AGAIN: Final = "it can poll it again, and takes one account first to see"
_CLOCK: Final = "its clock is "


def unread(why: str) -> str:
    """Returns why an account is left to others that could not be read from the store because of ``why``."""
    return f"it cannot read it from the store: {why}"


def unpolled(outcome: str) -> str:
    """Returns why an account is left to others for which requests have this outcome (`monitor.ingest.routee`)."""
    return f"it cannot poll it: {_advice(outcome)}"


def cut_off(outcome: str) -> str:
    """Returns why an account is left to others that was not tried, because all requests fail. ``outcome`` is that of the last one."""
    return f"none of its requests to Routee succeeds: {_advice(outcome)}"


def wrong_clock(ahead: Duration) -> str:
    """Returns why an account is left to others by a worker whose clock is ``ahead`` of the database's."""
    return f"{_CLOCK}{format_duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the database's: set the wrong one of them right"


def is_of_clock(why: str) -> bool:
    """Returns whether this is what `wrong_clock` says: that says nothing of whether the account can be polled."""
    return why.startswith(_CLOCK)


def _advice(outcome: str) -> str:
    match outcome:
        case "401":
            return "Routee refuses the credentials (401); check application_id and secret on its machine, and reload it"
        case "403":
            return "Routee refuses access (403); check from which addresses Routee lets this account in"
        case "407":
            return "the proxy wants a login (407); check the proxy's settings on its machine"
    if outcome.isdigit():
        return f"Routee answers {outcome} there; if it does not elsewhere, check the proxy on its machine"
    return f"Routee cannot be reached from there ({outcome or 'no answer'}); check network, DNS, firewall and proxy of its machine"
