"""The population that the traffic model draws from: countries with their operators, senders, and their texts."""

from typing import Final

from monitor.runtime.dataclass import dataclass
from monitor.simulation.sandbox.tables import Stream


@dataclass(frozen=True, slots=True)
class Country:
    """A country: ``share`` of all volume, ``ahead`` hours of UTC, ``digits`` of a number after ``prefix``; the largest operators come first."""

    code: str
    prefix: int
    digits: int
    ahead: int
    share: float
    price: float
    operators: tuple[str, ...]


COUNTRIES: Final = (
    Country("GR", 30, 10, 2, 0.40, 0.045, ("Cosmote", "Vodafone GR", "Nova")),
    Country("DE", 49, 11, 1, 0.15, 0.072, ("Telekom", "Vodafone DE", "O2 DE", "1&1")),
    Country("GB", 44, 10, 0, 0.12, 0.041, ("EE", "O2 UK", "Vodafone UK", "Three UK")),
    Country("IT", 39, 10, 1, 0.10, 0.053, ("TIM", "Vodafone IT", "WindTre", "Iliad")),
    Country("IN", 91, 10, 5, 0.08, 0.012, ("Jio", "Airtel", "Vi")),
    Country("RO", 40, 9, 2, 0.05, 0.049, ("Orange RO", "Vodafone RO", "Telekom RO", "Digi")),
    Country("IQ", 964, 10, 3, 0.04, 0.091, ("Zain Iraq", "Asiacell", "Korek")),
    Country("CY", 357, 8, 2, 0.04, 0.028, ("Cyta", "Epic", "Primetel")),
    Country("BG", 359, 9, 2, 0.02, 0.055, ("A1 BG", "Yettel", "Vivacom")),
)

STEADY: Final[tuple[tuple[float, Stream], ...]] = (
    (0.34, Stream("Bank", "core-banking", "otp")),
    (0.18, Stream("Shop", "checkout", "otp", groups=("customers",))),
    (0.13, Stream("Courier", "parcels", "notification")),
    (0.10, Stream("Login", "identity", "otp")),
    (0.08, Stream("Clinic", "appointments", "notification", groups=("patients",))),
    (0.06, Stream("Airline", "check-in", "notification")),
    (0.05, Stream("Energy", "billing", "notification")),
    (0.03, Stream("Casino", "wallet", "otp")),
    (0.02, Stream("School", "calls", None)),
    (0.01, Stream("+306900000001", "replies", None, "Inbound")),
)
"""Senders that send all the time, with their shares."""

CAMPAIGNERS: Final = (
    ("Shop", "Black Friday", "shop-marketing", "customers"),
    ("Fashion", "New Season", "fashion-crm", "newsletter"),
    ("Gym", "Come Back", "gym-crm", "members"),
    ("Travel", "Last Minute", "travel-deals", "vip"),
    ("Market", "Weekly Offers", "market-crm", "loyalty"),
)
"""Sender, name, application and group of those that run campaigns."""

OTP_BODIES: Final = tuple(
    f"Your code is {code}. It is valid for 5 minutes. Never tell it to anyone, not even to our own staff."
    for code in range(104729, 999983, 17977)
)
OTHER_BODIES: Final = tuple(
    f"Order {order} has left our warehouse and is expected tomorrow between 10:00 and 14:00. Track it: https://s.example/{order:x}"
    for order in range(500231, 900007, 9973)
)
PROMO_BODIES: Final = tuple(
    f"Only until Sunday: {off} % off everything, online and in store, with the code WIN{off}. Reply STOP to leave this list."
    for off in range(5, 65, 5)
)
REPLIES: Final = ("STOP", "YES", "Thank you!", "Who is this?")


def bodies_of(label: str | None, direction: str | None) -> tuple[str, ...]:
    """Returns the texts of messages of such a stream."""
    if direction == "Inbound":
        return REPLIES
    if label == "promo":
        return PROMO_BODIES
    return OTP_BODIES if label == "otp" else OTHER_BODIES
