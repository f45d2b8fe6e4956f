"""Whose groups and notifications are, for daemons that share the accounts, and for one that has all."""

import msgspec
import pytest

from monitor.model.account_state import AccountState
from monitor.model.alert import Alert
from monitor.routing.route import AggregationGroup
from monitor.runtime.pieces import at_once
from monitor.store.accounts import Owners, accounts_of, key_in, merged, of_accounts, parts_of, split
from monitor.store.protocol import Commit, Cursor, Entry, Pending, QuarantinedRecord, StoredState
from tests.store.store_samples import NOW, ack, alert, group, notification


class State:
    def blob(self) -> bytes:
        return b""


def of(account: str, operator: str = "Cosmote") -> Alert:
    return msgspec.structs.replace(alert(operator=operator), account=account)


def spanning(*alerts: Alert, **more: object) -> AggregationGroup:
    told = {one.fingerprint: "critical" for one in alerts}
    acked = {one.fingerprint: one.account for one in alerts}
    return msgspec.structs.replace(group(), told=told, acked=acked, counted=tuple(told), **more)


@pytest.mark.parametrize(
    "commit",
    [
        Commit(journal=[("x", b"")]),
        Commit(cleaned=[("x", 1)]),
        Commit(forgotten=["x"]),
        Commit(lost={"x": NOW}),
        Commit(entries=[Entry("x", "from", 1, "v")]),
        Commit(dropped_entries=[("x", "from", 1)]),
        Commit(cursors=[Cursor("x", "s", NOW, NOW)]),
        Commit(alerts=[of("x")]),
        Commit(groups=[msgspec.structs.replace(group(), account="x")]),
        Commit(dropped_groups=[("k", "ops", "x")]),
        Commit(outbox=[Pending("slack/0", notification("k"), "x")]),
        Commit(quarantined=[QuarantinedRecord("x", "s", NOW, "why", "{}")]),
        Commit(account_states={"x": AccountState()}),
        Commit(rule_states={("x", "R"): State()}),
        Commit(dropped_rule_states=[("x", "R")]),
        Commit(first_evaluations={("x", "R"): NOW}),
        Commit(dropped_first_evaluations=[("x", "R")]),
    ],
)
def test_a_commit_tells_for_which_accounts_it_writes(commit: Commit) -> None:
    commit.groups.append(group())
    assert accounts_of(commit) == {"x"}


def test_every_field_of_a_commit_is_thought_of() -> None:
    """Those that are not of an account: by fingerprint or id, or shared by all."""
    of_no_account = {
        "dropped_alerts",
        "dropped_alerts_of_nobody",
        "transitions",
        "silences",
        "dropped_silences",
        "acks",
        "dropped_acks",
        "durable",
    }
    of_an_account = {
        *("journal", "cleaned", "forgotten", "lost", "entries", "dropped_entries", "cursors", "alerts", "groups"),
        *("dropped_groups", "outbox", "quarantined", "account_states", "rule_states", "dropped_rule_states"),
        *("first_evaluations", "dropped_first_evaluations"),
    }
    assert set(Commit.__dataclass_fields__) == of_no_account | of_an_account | {"relies_on", "decided_on"}


def test_a_group_is_split_by_the_accounts_of_what_it_was_notified_of() -> None:
    one, two, three = of("b"), of("a"), of("b", "Nova")
    whole = spanning(one, two, three)
    change = split([whole], Owners([one, two, three], ["a", "b"]))
    assert change.dropped == [whole]
    first, second = change.written
    assert (first.account, list(first.told), first.episode) == ("b", [one.fingerprint, three.fingerprint], "e1")
    assert (second.account, list(second.told)) == ("a", [two.fingerprint])
    assert second.episode not in ("", "e1")
    assert split([whole], Owners([one, two, three], ["a", "b"])) == change
    for part in change.written:
        assert list(part.acked) == list(part.told) == list(part.counted)
        assert (part.receiver, part.told_at) == (whole.receiver, whole.told_at)


def test_parts_of_a_group_have_keys_of_their_own() -> None:
    one, two = of("b"), of("a")
    keys = [
        '{}:{alertname="x"}',
        '{}:incident:{incident="i"}',
        "{}:{...}",
        "{}:report:{f}",
    ]
    groups = [spanning(one, two, key=key) for key in keys]
    parts = split(groups, Owners([one, two], ["a", "b"])).written
    assert len({part.key for part in parts}) == 2 * len(keys)
    assert {part.key.partition(":")[0] for part in parts} == {'{}/{account="a"}', '{}/{account="b"}'}
    assert split(parts[:2], Owners([one, two], ["a", "b"])).written == parts[:2], "splitting again does no harm"


def test_a_notification_that_waits_gets_the_key_of_its_accounts_group() -> None:
    whole = spanning(of("a"), key='{}:{alertname="x"}')
    change = split([whole], Owners([of("a")], ["a", "b"]))
    for account in "ab":
        assert key_in(change, "ops", whole.key, account) == f'{{}}/{{account="{account}"}}:{{alertname="x"}}'
    assert key_in(change, "others", whole.key, "a") == whole.key
    assert key_in(split([], Owners([], ["a"])), "ops", "{watchdog}", "a") == "{watchdog}"


def test_a_group_that_an_account_had_before_stays_apart_from_the_part_of_another() -> None:
    """In PostgreSQL, then in SQLite, where further alerts make a group of all accounts, then in PostgreSQL again."""
    before, later, other = of("a"), of("a", "Nova"), of("b")
    own = split([spanning(before, key='{}:{alertname="x"}')], Owners([before], ["a", "b"])).written
    [own] = merged(own).written
    shared = spanning(later, other, key='{}:{alertname="x"}', episode="e2")
    owners = Owners([before, later, other], ["a", "b"])
    for groups in ([own, shared], [shared, own]):
        change = split(groups, owners)
        assert len({(one.key, one.receiver, one.account) for one in change.written}) == 3
        [kept] = [one for one in change.written if one.key == own.key]
        parts = [one for one in change.written if one is not kept]
        assert (kept.key, kept.episode, list(kept.told)) == (own.key, own.episode, [before.fingerprint])
        by_account = {one.account: one for one in parts}
        assert list(by_account["a"].told) == [later.fingerprint]
        for account, part in by_account.items():
            assert key_in(change, "ops", shared.key, account) == part.key
        assert key_in(change, "ops", own.key, "a") == own.key
        assert split(change.written, owners).written == change.written, "splitting again does no harm"


def test_a_group_of_alerts_that_nobody_knows_goes_to_who_its_labels_name_or_to_the_first_account() -> None:
    owners = Owners([], ["a", "b"])
    named = msgspec.structs.replace(group("n"), labels={"account": "b"})
    waiting = msgspec.structs.replace(named, told={}, key="w")
    foreign = msgspec.structs.replace(named, labels={"account": "removed"}, key="f")
    accounts = [one.account for one in split([named, waiting, foreign, group()], owners).written]
    assert accounts == ["b", "b", "a", "a"]


def test_split_groups_become_one_again() -> None:
    one, two = of("b"), of("a")
    whole = spanning(one, two)
    early = msgspec.structs.replace(group("other"), account="b", told_at=5, first_at=3, flush_at=9, started_at=1)
    late = msgspec.structs.replace(
        early, account="a", told_at=6, first_at=4, flush_at=8, episode="e2", told={"f2": "x"}
    )
    parts = split([whole], Owners([one, two], ["a", "b"])).written
    change = merged([*parts, early, late, group("third")])
    assert change.dropped == [*parts, early, late]
    again, other = change.written
    assert (again.account, again.key, again.told, again.acked) == ("", whole.key, whole.told, whole.acked)
    assert set(again.counted) == set(whole.counted)
    assert (other.episode, other.told_at, other.first_at, other.flush_at, other.started_at) == ("e2", 6, 3, 8, 1)
    assert other.told == {"f1": "critical", "f2": "x"}
    assert merged([again, other]).written == []


def test_the_parts_of_accounts_are_what_each_has_alone() -> None:
    one, two, three = of("a"), of("b"), of("c")
    acks = [msgspec.structs.replace(ack(), fingerprint=of.fingerprint) for of in (one, two, three)]
    groups = [msgspec.structs.replace(group(), account=account) for account in "abc"]
    cursors = [Cursor(account, "all", NOW, NOW) for account in "abc"]
    states = {account: AccountState() for account in "abc"}
    kept = {(account, "R"): b"" for account in "abc"}
    first = {(account, "R"): NOW for account in "abc"}
    whole = StoredState(
        cursors, [one, two, three], groups, [], acks, account_states=states, rule_states=kept, first_evaluations=first
    )
    whole.lost.update({"": 3, "a": 5, "c": 7})
    parts = at_once(parts_of(whole, ["a", "b", "d"]))
    assert parts == {account: of_accounts(whole, [account]) for account in ("a", "b", "d")}
    assert [parts[one].lost_to(one) for one in "abd"] == [5, 3, 3], "the loss of a whole file is each account's"
    assert parts["a"].acks == acks[:1]
