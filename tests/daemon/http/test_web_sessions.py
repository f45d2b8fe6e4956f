from monitor.daemon.http.sessions import (
    MOST_SESSIONS,
    MOST_WRONG_TOKENS,
    SESSION_SECONDS,
    WRONG_SECONDS,
    BrowserSessions,
)


class MonotonicSeconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_holds_for_twelve_hours_and_for_its_token_only():
    clock = MonotonicSeconds()
    sessions = BrowserSessions(clock)
    one = sessions.begin("the token")
    assert sessions.holds(one, "the token")
    assert not sessions.holds(one, "another token"), "a changed token ends all sessions"
    assert not sessions.holds("made up", "the token")
    clock.now += SESSION_SECONDS - 1
    assert sessions.holds(one, "the token")
    clock.now += 1
    assert not sessions.holds(one, "the token")


def test_a_session_that_was_ended_is_over_for_good():
    sessions = BrowserSessions(MonotonicSeconds())
    one, other = sessions.begin("token"), sessions.begin("token")
    sessions.end(one)
    sessions.end("made up")
    assert (sessions.holds(one, "token"), sessions.holds(other, "token")) == (False, True)


def test_a_token_that_comes_back_brings_no_session_with_it():
    sessions = BrowserSessions(MonotonicSeconds())
    first, second = sessions.begin("first"), sessions.begin("second")
    sessions.end_others("second")
    sessions.end_others("first")
    sessions.end_others("second")
    third = sessions.begin("second")
    assert [sessions.holds(one, token) for one in (first, second, third) for token in ("first", "second")] == (
        [False] * 5 + [True]
    )


def test_there_are_only_so_many_sessions_and_the_oldest_makes_room():
    sessions = BrowserSessions(MonotonicSeconds())
    first, *_, last = [sessions.begin("token") for _ in range(MOST_SESSIONS + 1)]
    assert (sessions.holds(first, "token"), sessions.holds(last, "token")) == (False, True)


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


def test_a_form_belongs_to_its_cookie_and_to_its_process():
    sessions = BrowserSessions()
    assert sessions.form_token("a") == sessions.form_token("a") != sessions.form_token("b")
    assert sessions.form_token("a") != BrowserSessions().form_token("a")
    assert sessions.form_token("\udcff"), "a cookie may hold any bytes"


def test_nothing_secret_is_in_what_a_log_could_show():
    sessions = BrowserSessions(MonotonicSeconds())
    one = sessions.begin("the token")
    assert one not in repr(sessions)
    assert "the token" not in repr(sessions)
