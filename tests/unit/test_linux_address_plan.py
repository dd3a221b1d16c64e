"""What is done to addresses, and that nothing is done to those of somebody else."""

from __future__ import annotations

import errno
from ipaddress import ip_address, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vip_speaker.linux.address_plan import (
    AddressRequest,
    BindRequest,
    Failure,
    KnownAddresses,
    ReleaseRequest,
    RenewRequest,
    coalesce,
    failure_of,
)
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.linux.rtnetlink import (
    Address,
    AddressOperation,
    InterfaceAddress,
    NetlinkError,
    Operation,
)

VIPS = tuple(ip_address(one) for one in ("192.0.2.100", "192.0.2.101", "2001:db8::100"))
NAMES = {2: "eth0", 3: "eth1"}


def there(index: int, text: str, *, ours: bool) -> InterfaceAddress:
    """Return an address that an interface has."""
    ip = ip_interface(text)
    protocol = PROTOCOL if ours else None
    return InterfaceAddress(
        index, ip.version, ip.ip, ip.network.prefixlen, protocol, "", 0, 0, 3 if ours else None
    )


def host(index: int, address: Address, *, ours: bool = True) -> InterfaceAddress:
    """Return a /32 or /128 that an interface has."""
    return there(index, f"{address}/{address.max_prefixlen}", ours=ours)


def bind(*addresses: Address, token: str = "a", not_after_ns: int | None = None) -> BindRequest:
    """Return the wish to bind addresses to eth0."""
    return BindRequest(
        token=token, ifindex=2, addresses=addresses, lifetime_seconds=3, not_after_ns=not_after_ns
    )


def renew(*addresses: Address, token: str = "a", ifindex: int = 2) -> RenewRequest:
    """Return the wish to renew addresses, on eth0 unless told otherwise."""
    return RenewRequest(token=token, ifindex=ifindex, addresses=addresses, lifetime_seconds=3)


def release(*addresses: Address, token: str = "a") -> ReleaseRequest:
    """Return the wish to release addresses from eth0."""
    return ReleaseRequest(token=token, ifindex=2, addresses=addresses)


def operations(known: KnownAddresses, request: AddressRequest) -> list[Operation]:
    """Plan a request that only changes things, and return the changes."""
    steps = known.plan(request, now=0)
    assert all(isinstance(step, AddressOperation) for step in steps)
    return [step.operation for step in steps if isinstance(step, AddressOperation)]


def failures(known: KnownAddresses, request: AddressRequest) -> list[tuple[Address, int]]:
    """Plan a request and return what failed, and why."""
    return [
        (step.address, step.errno)
        for step in known.plan(request, now=0)
        if isinstance(step, Failure)
    ]


def test_first_bind_refuses_what_is_there() -> None:
    """A new address is added with our tag in a way that fails if it exists."""
    [step] = KnownAddresses(NAMES, []).plan(bind(VIPS[0]), now=0)

    assert step == AddressOperation(Operation.ADD, 2, VIPS[0], 3, PROTOCOL)


def test_first_bind_on_an_old_kernel() -> None:
    """Without IFA_PROTO the address gets our label instead."""
    [step] = KnownAddresses(NAMES, [], keeps_protocol=False).plan(bind(VIPS[0]), now=0)

    assert step == AddressOperation(Operation.ADD, 2, VIPS[0], 3, None, "eth0:vip112")


def test_what_an_earlier_life_left_is_adopted() -> None:
    """An address that carries our tag is prolonged, not refused."""
    known = KnownAddresses(NAMES, [host(2, VIPS[0])])

    assert operations(known, bind(*VIPS)) == [Operation.REPLACE, Operation.ADD, Operation.ADD]


@pytest.mark.parametrize("prefix_length", [24, 32])
@pytest.mark.parametrize("request_", [bind(VIPS[0]), renew(VIPS[0])], ids=["bind", "renew"])
def test_an_address_of_somebody_else(request_: AddressRequest, prefix_length: int) -> None:
    """Neither a bind nor a renewal touches somebody else's address, whatever its prefix length."""
    known = KnownAddresses(NAMES, [there(2, f"192.0.2.100/{prefix_length}", ours=False)])

    assert failures(known, request_) == [(VIPS[0], errno.EEXIST)]


def test_the_same_address_elsewhere_does_not_matter() -> None:
    """What another interface has, the planner leaves to the view of the network."""
    known = KnownAddresses(NAMES, [host(3, VIPS[0], ours=False)])

    assert operations(known, bind(VIPS[0])) == [Operation.ADD]


def test_renewal_does_not_bring_back() -> None:
    """An address that is gone, expired during a freeze perhaps, is not bound by a renewal."""
    known = KnownAddresses(NAMES, [host(2, VIPS[0])])

    steps = known.plan(renew(*VIPS[:2]), now=0)

    assert steps[0] == AddressOperation(Operation.REPLACE, 2, VIPS[0], 3, PROTOCOL)
    assert isinstance(steps[1], Failure)
    assert steps[1].errno == errno.EADDRNOTAVAIL


def test_release_deletes_ours_only() -> None:
    """Of three addresses only the one with our tag is deleted, and none counts as failed."""
    known = KnownAddresses(NAMES, [host(2, VIPS[0]), host(2, VIPS[1], ours=False)])

    steps = known.plan(release(*VIPS), now=0)

    assert steps == [AddressOperation(Operation.DELETE, 2, VIPS[0]), None, None]


def test_requests_see_what_earlier_ones_did() -> None:
    """Bind, release and bind in one go add, delete and add."""
    known = KnownAddresses(NAMES, [])

    done = [
        *operations(known, bind(VIPS[0])),
        *operations(known, renew(VIPS[0])),
        *operations(known, release(VIPS[0])),
        *operations(known, bind(VIPS[0])),
    ]

    assert done == [Operation.ADD, Operation.REPLACE, Operation.DELETE, Operation.ADD]


def test_an_interface_that_is_gone() -> None:
    """Binding on an interface that is gone fails as such; releasing there is done already."""
    known = KnownAddresses({}, [])

    assert failures(known, bind(VIPS[0])) == [(VIPS[0], errno.ENODEV)]
    assert known.plan(release(VIPS[0]), now=0) == [None]


def test_too_late() -> None:
    """A bind whose time has passed is not done; until then it is."""
    known = KnownAddresses(NAMES, [])
    request = bind(VIPS[0], not_after_ns=10)

    assert isinstance(known.plan(request, now=11)[0], Failure)
    assert isinstance(known.plan(request, now=10)[0], AddressOperation)


def test_coalescing_drops_renewals_that_are_behind() -> None:
    """A waiting renewal gives way to later requests for its addresses, and to no other."""
    first, second, other = renew(VIPS[0]), renew(VIPS[0]), renew(VIPS[1], token="b")
    bound, released = bind(VIPS[0]), release(VIPS[0])

    assert coalesce([first, other, second]) == [other, second]
    assert coalesce([first, released]) == [released]
    assert coalesce([bound, released, bound]) == [bound, released, bound]
    assert coalesce([released, first]) == [released, first]


def test_coalescing_keeps_the_renewals_of_every_interface() -> None:
    """Of an election over two interfaces, each interface has its latest renewal."""
    first, second = renew(VIPS[0], ifindex=2), renew(VIPS[1], ifindex=3)
    again = renew(VIPS[0], ifindex=2)

    assert coalesce([first, second]) == [first, second]
    assert coalesce([first, second, again]) == [second, again]


def test_coalescing_keeps_a_renewal_of_which_nobody_speaks_again() -> None:
    """A request for some of its addresses makes no renewal pointless; requests for all do."""
    both, released, bound = renew(*VIPS[:2]), release(VIPS[0]), bind(VIPS[1])

    assert coalesce([both, released]) == [both, released]
    assert coalesce([both, released, bound]) == [released, bound]


@given(
    st.lists(
        st.builds(
            lambda make, token: make(VIPS[0], token=token),
            st.sampled_from([bind, renew, release]),
            st.sampled_from("abc"),
        )
    )
)
def test_coalescing_keeps_every_word(requests: list[AddressRequest]) -> None:
    """No bind and no release is ever dropped, the order stays, and each token's last word stays."""
    kept = coalesce(requests)
    binding = [one for one in requests if not isinstance(one, RenewRequest)]

    assert [one for one in kept if not isinstance(one, RenewRequest)] == binding
    for token in "abc":
        assert [one for one in kept if one.token == token][-1:] == [
            one for one in requests if one.token == token
        ][-1:]


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.ENODEV])
def test_a_deletion_that_finds_nothing_succeeds(number: int) -> None:
    """An address that somebody else deleted in the same moment is released all the same."""
    deletion = AddressOperation(Operation.DELETE, 2, VIPS[0])

    assert failure_of(deletion, NetlinkError(number, "Deleting")) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EEXIST, "192.0.2.100 is in use on this node"),
        (errno.EPERM, "CAP_NET_ADMIN is needed to bind 192.0.2.100"),
        (errno.ENODEV, "Adding 192.0.2.100: No such device"),
    ],
)
def test_reasons(number: int, words: str) -> None:
    """Each refusal of the kernel becomes a reason that a person can act on."""
    wanted = AddressOperation(Operation.ADD, 2, VIPS[0], 3)
    failure = failure_of(wanted, NetlinkError(number, "Adding 192.0.2.100"))

    assert failure is not None
    assert failure.errno == number
    assert words in failure.reason
