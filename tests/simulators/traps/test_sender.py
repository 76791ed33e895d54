"""Datagrams leave from their elements' addresses, and informs are sent until they are acknowledged."""

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from simulators.traps.notices import link
from simulators.traps.packets import V2C, PacketWriter, Speech
from simulators.traps.sender import Datagram, Sender

INFORM = Speech(V2C, is_inform=True)
FIRST = 1 << 24
# Answers what came from an address for the so-many-th time.
Answer = Callable[[bytes, int], bytes | None]


def informs(count: int, *addresses: str) -> list[Datagram]:
    return [
        Datagram(
            address,
            PacketWriter(INFORM, address).write(link(1, "a", is_up=False), 20_000_000, FIRST + n),
            FIRST + n,
        )
        for n in range(count)
        for address in (addresses[n % len(addresses)],)
    ]


def acknowledged(octets: bytes) -> bytes:
    """The Response of RFC 3416 section 4.2.7: the same with another tag."""
    return octets.replace(b"\xa6", b"\xa2", 1)


@contextmanager
def receiver(answer: Answer) -> Generator[tuple[tuple[str, int], list[tuple[str, bytes]]]]:
    """A receiver's address, and what came."""
    came: list[tuple[str, bytes]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                octets, peer = bound.recvfrom(65_535)
                if not octets:
                    return
                came.append((peer[0], octets))
                reply = answer(octets, sum(one == octets for _, one in came))
                if reply is not None:
                    bound.sendto(reply, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield bound.getsockname(), came
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", bound.getsockname())
            thread.join()


def test_each_datagram_comes_from_its_element() -> None:
    with receiver(lambda octets, _: acknowledged(octets)) as (address, came), Sender(address) as sender:
        sender.play(informs(4, "127.0.0.7", "127.0.0.8"))
        assert (sender.sent.sent, sender.sent.acknowledged, sender.sent.lost) == (4, 4, [])
    assert [source for source, _ in came] == ["127.0.0.7", "127.0.0.8"] * 2


def test_inform_is_sent_again_until_it_is_acknowledged() -> None:
    def third(octets: bytes, times: int) -> bytes | None:
        return acknowledged(octets) if times == 3 else None

    with receiver(third) as (address, came), Sender(address, timeout_s=0.02, retries=500) as sender:
        sender.play(informs(3, "127.0.0.7"))
        assert (sender.sent.acknowledged, sender.sent.lost) == (3, [])
        assert sender.sent.repeated >= 6
    assert len(came) >= 9


def test_inform_that_is_never_acknowledged_is_lost() -> None:
    with (
        receiver(lambda octets, _: octets) as (address, came),
        Sender(address, timeout_s=0.01, retries=2) as sender,
    ):
        sender.play(informs(2, "127.0.0.7"))
        assert sender.sent.lost == [FIRST, FIRST + 1]
    assert len(came) == 6


def test_nobody_there_is_like_a_lost_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        address = bound.getsockname()
    with Sender(address, timeout_s=0.01, retries=1) as sender:
        sender.play(informs(2, "127.0.0.7"), per_s=10_000)
        assert len(sender.sent.lost) == 2
