"""The account: its credentials, the tokens given out for them, and its money."""

from random import Random

from monitor.runtime.clock import HOUR, SECOND, Duration, Instant

Credentials = tuple[str, str]
"""Application id and application secret."""


class SandboxAccount:
    """``token_life``: how long a token is good for. The balance falls with what is sent and is topped up before it runs out."""

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
        """A fresh token and the whole seconds that it lives."""
        token = f"{self._random.getrandbits(128):032x}"
        self._tokens[token] = now + self.token_life
        return token, self.token_life // SECOND

    def admits(self, token: str, now: Instant) -> bool:
        """Whether the token was given out and is good yet."""
        return now < self._tokens.get(token, now)

    def revoke_tokens(self) -> None:
        """Refuse every token given out so far."""
        self._tokens.clear()

    def balance(self, spent: float) -> float:
        """What is left after spending that much in all."""
        left = self._paid_in - spent
        if self._topped_up and left < self.LOW:
            times = int((self.LOW - left) // self.TOP_UP) + 1
            self._paid_in += times * self.TOP_UP
            left += times * self.TOP_UP
        return round(left, 4)

    def set_balance(self, amount: float, spent: float) -> None:
        """Make the present balance that much, and top up no more."""
        self._paid_in, self._topped_up = amount + spent, False
