"""The account: its credentials, access tokens and balance."""

from random import Random

from monitor.runtime.clock import HOUR, SECOND, Duration, Instant

Credentials = tuple[str, str]
"""Application id and application secret."""


class SandboxAccount:
    """The account of a sandbox. ``token_life`` is how long a token is valid. The balance falls with the messages sent, and is topped up before it
    is empty.
    """

    TOP_UP = 5_000.0
    LOW = 500.0

    def __init__(self, credentials: Credentials, seed: int, *, token_life: Duration = HOUR) -> None:
        self.credentials = credentials
        self.token_life = token_life
        self._random = Random(f"tokens {seed}")  # noqa: S311 - tokens of a stand-in on this machine
        self._tokens: dict[str, Instant] = {}
        self._paid_in = self.TOP_UP
        self._topped_up = True

    def new_token(self, now: Instant) -> tuple[str, int]:
        """Returns a new token and its life in whole seconds."""
        token = f"{self._random.getrandbits(128):032x}"
        self._tokens[token] = now + self.token_life
        return token, self.token_life // SECOND

    def admits(self, token: str, now: Instant) -> bool:
        """Returns whether the token was issued and is still valid."""
        return now < self._tokens.get(token, now)

    def revoke_tokens(self) -> None:
        """Refuses every token issued so far."""
        self._tokens.clear()

    def balance(self, spent: float) -> float:
        """Returns the balance after ``spent`` euros in all."""
        left = self._paid_in - spent
        if self._topped_up and left < self.LOW:
            times = int((self.LOW - left) // self.TOP_UP) + 1
            self._paid_in += times * self.TOP_UP
            left += times * self.TOP_UP
        return round(left, 4)

    def set_balance(self, amount: float, spent: float) -> None:
        """Sets the present balance to ``amount``, and stops topping up."""
        self._paid_in, self._topped_up = amount + spent, False
