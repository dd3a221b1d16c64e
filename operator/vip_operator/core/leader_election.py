"""Which operator may write: an election over a Lease. Pure; only durations on our own clock count.

The Lease's times are for people to read and are never compared with our clock. A holder is alive
as long as its Lease changes; one that did not change for its duration, watched by us, may be
taken. A leader stops to write 5 s before anybody could have taken its Lease, and every write it
makes carries its epoch, so that one that was under way for longer is refused.

For whoever writes the driver. All times are of one monotonic clock in nanoseconds. `identity` must
be of this process and no other: NAME_OF_POD plus a random part. Take part only once the store is
complete: whoever leads must be able to plan, and `least_epoch` must be known. Then, for ever:

    lease = read()                                  # None: there is none (404)
    loop:
        match election.decide(lease, now(), least_epoch):
            case Wait(until_ns):  sleep until then; then lease = read(), which a leader may skip:
                                  what its last write left will do
            case Write() as step: try lease = write(step), then election.written(step, lease)
                                  refused (409, 404, 422): lease = read()
            case Lost():          end the process; it begins anew as a contender

- `read` and `write` time out after 3 s. If either fails for another reason than those named (no
  connection, 5xx, timeout), sleep `RETRY_NS` and read again: whether a write was carried out
  shows in what is read.
- `write(step)` creates the Lease where step.resource_version is empty, and replaces it otherwise,
  with that resourceVersion as a precondition. holderIdentity = step.holder, leaseTransitions =
  step.transitions, leaseDurationSeconds = 15, renewTime = the wall clock, and where step.acquires
  also acquireTime. It returns the Lease as the API server answers.
- `least_epoch` is one more than the highest spec.epoch of all VirtualRouters, at least 1: so a
  Lease that was deleted does not bring back an epoch that was used.
- Before every write to another object ask `leads(now())`. While it says no, write nothing and
  keep going: it may say yes again, with the same epoch, when the API server is back.
- To stop: end all other writes, wait for those under way, then carry out `release()` if it is not
  None, once, whatever comes of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from vip_operator.core.known.round_inputs import SECOND_NS

LEASE_SECONDS = 15
RENEW_DEADLINE_NS = 10 * SECOND_NS
RETRY_NS = 2 * SECOND_NS


@dataclass(frozen=True, slots=True)
class LeaseView:
    """The Lease as it was read.

    Attributes:
        holder: spec.holderIdentity; empty: it was released.
        transitions: spec.leaseTransitions.
        resource_version: changes whenever anything in the Lease does.
        duration_seconds: spec.leaseDurationSeconds; what its holder counts on.
    """

    holder: str
    transitions: int
    resource_version: str
    duration_seconds: int = LEASE_SECONDS


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before that time; then read the Lease and decide again."""

    until_ns: int


@dataclass(frozen=True, slots=True)
class Write:
    """Write the Lease.

    Attributes:
        holder: who holds it afterwards; empty: nobody.
        transitions: how often it has changed hands afterwards.
        resource_version: what it must still have; empty: it must not exist.
        acquires: it changes hands by this.
        begun_ns: when this was decided, which is before it is sent.
    """

    holder: str
    transitions: int
    resource_version: str
    acquires: bool
    begun_ns: int


@dataclass(frozen=True, slots=True)
class Lost:
    """We led and somebody else may lead now: this process must not write any more.

    Attributes:
        why: a sentence for the log.
    """

    why: str


Decision = Wait | Write | Lost


class Election:
    """One contender.

    Args:
        identity: of this process and of no other, ever.
        renew_deadline_ns: how long after a renewal began we lead; less than the Lease's duration.
    """

    def __init__(self, identity: str, renew_deadline_ns: int = RENEW_DEADLINE_NS) -> None:
        assert identity, "an empty identity means that nobody holds the Lease"
        self._identity = identity
        self._renew_deadline_ns = renew_deadline_ns
        self._transitions: int | None = None
        self._renewed_ns: int | None = None
        self._released = False
        self._lease: LeaseView | None = None
        self._seen: LeaseView | None = None
        self._unchanged_since_ns: int | None = None

    @property
    def epoch(self) -> int | None:
        """Counts leaderships: later ones are greater. None while the Lease was never ours."""
        return None if self._transitions is None else self._transitions + 1

    def leads(self, now_ns: int) -> bool:
        """Return whether we may write at this moment."""
        if self._released or self._renewed_ns is None:
            return False
        return now_ns - self._renewed_ns < self._renew_deadline_ns

    def decide(self, lease: LeaseView | None, now_ns: int, least_epoch: int = 1) -> Decision:
        """Return what to do next.

        Args:
            lease: as just read, or as the last successful write left it; None: there is none.
            now_ns: now, not before `lease` was read.
            least_epoch: a new leadership gets at least this epoch.
        """
        assert not self._released, "whoever has released the Lease takes no part any more"
        if lease is not None and lease.holder == self._identity:
            return self._keep(lease, now_ns)
        if self._transitions is not None:
            return Lost(self._why_lost(lease))
        self._watch(lease, now_ns)
        free_ns = self._free_ns(lease, now_ns, least_epoch)
        if now_ns < free_ns:
            return Wait(min(free_ns, now_ns + RETRY_NS))
        former = -1 if lease is None else lease.transitions
        return Write(
            holder=self._identity,
            transitions=max(former + 1, least_epoch - 1),
            resource_version="" if lease is None else lease.resource_version,
            acquires=True,
            begun_ns=now_ns,
        )

    def written(self, step: Write, lease: LeaseView) -> None:
        """Take note that a write succeeded.

        Args:
            step: what was decided.
            lease: as the API server answered.
        """
        if step.holder == self._identity:
            self._transitions, self._renewed_ns = step.transitions, step.begun_ns
            self._lease = lease

    def release(self, now_ns: int) -> Write | None:
        """Return how to give the Lease up, None where it is not ours; we lead no more at once."""
        self._released = True
        if self._lease is None:
            return None
        return Write(
            holder="",
            transitions=self._lease.transitions,
            resource_version=self._lease.resource_version,
            acquires=False,
            begun_ns=now_ns,
        )

    def _keep(self, lease: LeaseView, now_ns: int) -> Decision:
        """Renew what is ours, also if we never heard that our writing it had succeeded."""
        self._lease = lease
        if self._transitions is None:
            self._transitions = lease.transitions
        if self._renewed_ns is not None and now_ns < self._renewed_ns + RETRY_NS:
            return Wait(self._renewed_ns + RETRY_NS)
        return Write(
            holder=self._identity,
            transitions=self._transitions,
            resource_version=lease.resource_version,
            acquires=False,
            begun_ns=now_ns,
        )

    def _watch(self, lease: LeaseView | None, now_ns: int) -> None:
        if self._unchanged_since_ns is None or lease != self._seen:
            self._seen, self._unchanged_since_ns = lease, now_ns

    def _free_ns(self, lease: LeaseView | None, now_ns: int, least_epoch: int) -> int:
        """Return when the Lease may be taken if it does not change until then."""
        assert self._unchanged_since_ns is not None
        if lease is None:
            # It was never there, or it was deleted under a leader who has not noticed yet.
            never_led = least_epoch <= 1
            return now_ns if never_led else self._unchanged_since_ns + LEASE_SECONDS * SECOND_NS
        if not lease.holder:
            return now_ns
        duration_seconds = max(lease.duration_seconds, LEASE_SECONDS)
        return self._unchanged_since_ns + duration_seconds * SECOND_NS

    def _why_lost(self, lease: LeaseView | None) -> str:
        if lease is None:
            return "The Lease of the operator's leader was deleted while we held it."
        if not lease.holder:
            return "The Lease of the operator's leader was taken from us; nobody holds it now."
        return f"{lease.holder} leads now: it took the Lease that we could not renew in time."
