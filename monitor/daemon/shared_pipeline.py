"""What a pipeline does where several daemons share the accounts of one store: it gains and loses accounts, and hears of others' edits.

A daemon decides on the accounts that it holds as if there were no others, so it makes no difference to anybody who holds one. Silences are
everybody's. An acknowledgement is its alert's: whoever makes it elsewhere writes it to the store, where the holder reads it.
"""

import contextlib
from collections.abc import Callable, Sequence

from monitor.daemon.account_pipeline import AccountPipeline
from monitor.daemon.committer import transitions_by_people
from monitor.daemon.pipeline_commits import PipelineCommits
from monitor.dispatch.dispatcher import SuppressionEdits
from monitor.model.alert import Alert
from monitor.routing.acknowledgements import Ack
from monitor.runtime.errors import StoreError
from monitor.store.protocol import Commit, StoredState

EditAlert = Callable[[Alert | None, Ack | None], SuppressionEdits]
"""Returns what people change about an alert, given the alert as it is now and its acknowledgement, if there are any."""


class SharedPipeline(PipelineCommits):
    """Holds some accounts of a store, or none, and takes over and gives up accounts between two commits."""

    async def adopt(self, accounts: Sequence[AccountPipeline], loaded: StoredState) -> None:
        """Takes over accounts as the store has them; ``loaded`` is what the store loads for them alone.

        The daemon must have their leases since before that was read. Then this does what `begin` does. If that fails it is left to the flush timer.
        """
        async with self._lock:
            async with self.windows:
                self._to_begin |= {account.name for account in accounts}
                self._hold({**self.accounts, **{account.name: account for account in accounts}})
                self.dispatcher.adopt(loaded.groups, loaded.acks, loaded.begun)
            with contextlib.suppress(StoreError):  # the committer logs it
                await self._begin()

    async def led_by(self, account: str) -> None:
        """Takes the account to which what concerns none belongs (empty: it is not known), and lets the flush timer send that where it is held."""
        if account in ("", self.dispatcher.leading):
            return
        async with self._lock, self.windows:
            self.dispatcher.lead_by(account)
            self._hold(self.accounts)
            if self.dispatcher.leads:
                self._flush_all_soon()
            self._announce()

    async def release(self, name: str) -> None:
        """Forgets an account and writes nothing; does nothing if it is not held. What was not committed is read again by the next holder."""
        async with self._lock:
            await self._forget(name)

    async def hand_over(self, name: str) -> None:
        """Commits what is left to commit of an account, and forgets it. Raises StoreError; the account is then still held."""
        async with self._lock:
            account = self.accounts.get(name)
            if account is not None:
                await self._committer.commit(account, Commit())
            await self._forget(name)

    async def suppressions_changed(self) -> None:
        """Reads silences and acknowledgements again, which another daemon has changed, and flushes. Raises StoreError."""
        async with self._lock:
            await self._reread_suppressions()
            await self._flush_edits(SuppressionEdits())

    async def edit_alert(self, fingerprint: str, edit: EditAlert) -> None:
        """Applies what people change about an alert, whichever daemon holds it.

        ``edit`` is called under the lock, again if another daemon was faster. Raises StoreError, and what ``edit`` raises.
        """

        async def change(decided_on: int | None) -> None:
            here = next((one for one in self.every_alert() if one.fingerprint == fingerprint), None)
            if here is not None or not self.dispatcher.by_account:
                await self._flush_edits(edit(here, self.dispatcher.acks.get(fingerprint)), decided_on)
            else:
                await self._edit_elsewhere(fingerprint, edit, decided_on)

        async with self._lock:
            await self._edit(change)

    # Under the lock

    async def _edit_elsewhere(self, fingerprint: str, edit: EditAlert, decided_on: int | None) -> None:
        alert, ack = await self._store.alert_and_ack(fingerprint)
        if alert is not None and alert.account in self.accounts:
            alert = None  # it has ended: what this daemon holds is in its memory
        edits = edit(alert, ack)
        known = {} if alert is None else {fingerprint: alert}
        changes = list(transitions_by_people(known, edits, self.services.clock.now()))
        await self._committer.commit(
            None,
            Commit(acks=edits.acks, dropped_acks=edits.dropped_acks, transitions=changes, decided_on=decided_on),
        )

    async def _forget(self, name: str) -> None:
        if name not in self.accounts:
            return
        self.put_off -= {name}
        async with self.windows:
            account = self.accounts[name]
            self._to_begin.discard(name)
            self._hold({one: held for one, held in self.accounts.items() if one != name})
            self._elsewhere = self.elsewhere.with_forgotten(account, self.dispatcher.groups, self.dispatcher.acks)
            self.dispatcher.release(name, {alert.fingerprint for _, alert in account.evaluator.every_alert()})
            self._committer.forget(name)
            self._announce()
