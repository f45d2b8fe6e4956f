from monitor.daemon.http.sessions import (
    CLOCKS_APART,
    MOST_ENDED,
    MOST_WRONG_TOKENS,
    SESSION_SECONDS,
    WRONG_SECONDS,
    BrowserSessions,
)
from monitor.runtime.clock import SECOND


class Now:
    def __init__(self, now: int = 1_000_000 * SECOND) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def of_one_store(wall: Now) -> BrowserSessions:
    return BrowserSessions(wall=wall, key=b"the key of the store")


class MonotonicSeconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_holds_for_twelve_hours_and_for_its_token_only():
    clock = Now()
    sessions = of_one_store(clock)
    one = sessions.begin("the token")
    assert sessions.holds(one, "the token")
    assert not sessions.holds(one, "another token"), "a changed token ends all sessions"
    assert not sessions.holds("made up", "the token")
    clock.now += SESSION_SECONDS * SECOND - 1
    assert sessions.holds(one, "the token")
    clock.now += 1
    assert not sessions.holds(one, "the token")


def test_a_session_that_was_ended_is_over_for_good():
    sessions = of_one_store(Now())
    one, other = sessions.begin("token"), sessions.begin("token")
    sessions.end(one)
    sessions.end("made up")
    assert (sessions.holds(one, "token"), sessions.holds(other, "token")) == (False, True)


def test_a_token_that_comes_back_brings_no_session_with_it():
    sessions = of_one_store(Now())
    first, second = sessions.begin("first"), sessions.begin("second")
    sessions.end_others("second")
    sessions.end_others("first")
    sessions.end_others("second")
    third = sessions.begin("second")
    assert [sessions.holds(one, token) for one in (first, second, third) for token in ("first", "second")] == (
        [False] * 5 + [True]
    )


def test_only_so_many_sessions_are_remembered_as_ended_and_the_oldest_makes_room():
    sessions = of_one_store(Now())
    first, last = sessions.begin("token"), sessions.begin("token")
    sessions.end(first)
    sessions.end_all({b"ended elsewhere %d" % number: sessions.wall() for number in range(MOST_ENDED - 1)})
    assert not sessions.holds(first, "token")
    sessions.end(last)
    assert (sessions.holds(first, "token"), sessions.holds(last, "token")) == (True, False)


def test_sessions_that_were_ended_elsewhere_are_over_here_until_they_would_be_anyway():
    clock = Now()
    here, elsewhere = of_one_store(clock), of_one_store(clock)
    one, other = here.begin("token"), here.begin("token")
    elsewhere.end(one)
    here.end_all(elsewhere.unstored)
    assert (here.holds(one, "token"), here.holds(other, "token")) == (False, True)
    assert here.unstored == {}, "who ended it stores it"
    elsewhere.note_stored(elsewhere.unstored)
    assert elsewhere.unstored == {}
    clock.now += SESSION_SECONDS * SECOND
    elsewhere.end(other)
    assert elsewhere.unstored == {}, "it was over"


def test_a_session_is_known_to_every_daemon_of_the_store_and_to_no_other():
    clock = Now()
    one, other, foreign = of_one_store(clock), of_one_store(clock), BrowserSessions(wall=clock)
    session, form = one.begin("token"), one.form_token("a cookie")
    assert (one.name, one.form_token("a cookie")) == (other.name, form)
    assert other.holds(session, "token")
    assert not other.holds(session, "another token")
    assert not foreign.holds(session, "token")
    assert foreign.name != one.name
    assert foreign.form_token("a cookie") != form
    other.end(session)
    assert (one.holds(session, "token"), other.holds(session, "token")) == (True, False), "as decision 40 says"


def test_nothing_of_a_session_can_be_changed():
    clock = Now()
    sessions = of_one_store(clock)
    session = sessions.begin("token")
    began, nonce, signature = session.split(".")
    later = f"{int(began) + 1}.{nonce}.{signature}"
    for made_up in (
        later,
        f"{began}.{'a' * 22}.{signature}",
        f"{began}.{nonce}.{'0' * 64}",
        f"{session}0",
        "",
        "..",
        "é",
    ):
        assert not sessions.holds(made_up, "token")
    assert sessions.holds(session, "token")
    assert sessions.form_token(session) not in session


def test_a_session_from_the_future_is_refused():
    clock = Now()
    ahead, right = of_one_store(clock), of_one_store(Now(clock.now - CLOCKS_APART))
    session = ahead.begin("token")
    assert right.holds(session, "token"), "clocks may differ a little"
    clock.now += 1
    assert not right.holds(ahead.begin("token"), "token")


def test_wrong_tokens_are_bounded_in_a_minute_and_right_ones_are_not():
    clock = MonotonicSeconds()
    sessions = BrowserSessions(clock)
    for _ in range(MOST_WRONG_TOKENS - 1):
        assert not sessions.is_right("guess", "token")
    for _ in range(3):
        assert sessions.is_right("token", "token")
    assert sessions.seconds_to_wait() == 0
    sessions.is_right("guess", "token")
    assert 0 < sessions.seconds_to_wait() <= WRONG_SECONDS + 1
    clock.now += WRONG_SECONDS
    assert sessions.seconds_to_wait() == 0


def test_a_form_belongs_to_its_cookie_and_to_the_store():
    sessions = BrowserSessions()
    assert sessions.form_token("a") == sessions.form_token("a") != sessions.form_token("b")
    assert sessions.form_token("a") != BrowserSessions().form_token("a")
    assert sessions.form_token("\udcff"), "a cookie may hold any bytes"


def test_nothing_secret_is_in_what_a_log_could_show():
    sessions = BrowserSessions(MonotonicSeconds())
    one = sessions.begin("the token")
    assert one not in repr(sessions)
    assert "the token" not in repr(sessions)
    assert "the key of the store" not in repr(of_one_store(Now()))
