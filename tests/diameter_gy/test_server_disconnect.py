"""A peer is sent away by its name: Disconnect-Peer on each of its connections, with the cause, and nobody else's."""

import pytest
import trio

from ocs.diameter_gy.avp import enumerated
from ocs.diameter_gy.base_commands import DisconnectCause
from ocs.diameter_gy.message import encode_message


async def dpr_of(gateway) -> tuple[int, int, int]:
    """Receive a DPR; gives its cause and identifiers."""
    header, _, avps = gateway.read(await gateway.receive())
    assert (header.command_code, header.is_request) == (282, True)
    return int.from_bytes(avps[273]), header.hop_by_hop_id, header.end_to_end_id


def dpa(gateway, hop_by_hop: int, end_to_end: int) -> bytes:
    return encode_message(282, 0, 0, hop_by_hop, end_to_end, gateway.origin + enumerated(268, 2001))


@pytest.mark.parametrize("cause", DisconnectCause)
async def test_peer_is_sent_away_with_the_cause_and_gets_the_answer_that_it_is_owed(lab, cause) -> None:
    async with lab.serving() as (server, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        lab.handler.holds = True
        await gateway.send(gateway.ccr(5))
        while not lab.handler.held:
            await trio.lowlevel.checkpoint()
        assert server.disconnect_peer("PGW.example", cause) == 1
        told, *identifiers = await dpr_of(gateway)
        assert told == cause
        await gateway.send(dpa(gateway, *identifiers))
        lab.handler.release()
        header, result, _ = gateway.read(await gateway.receive())
        assert (header.command_code, header.hop_by_hop_id, result) == (272, 5, 2001)
        await gateway.sees_the_end()


async def test_all_connections_of_the_peer_leave_and_no_other_s(lab) -> None:
    async with lab.serving() as (server, listeners):
        leaving = [await (await lab.connect(listeners[0])).opens() for _ in range(3)]
        other = await (await lab.connect(listeners[0], "other.example")).opens()
        await lab.connect(listeners[0])  # has not said who it is
        assert server.disconnect_peer("pgw.example", DisconnectCause.BUSY) == 3
        for gateway in leaving:
            _, *identifiers = await dpr_of(gateway)
            await gateway.send(dpa(gateway, *identifiers))
            await gateway.sees_the_end()
        _, result, _ = await other.answer_to(other.ccr(1))
        assert result == 2001


async def test_peer_that_leaves_already_or_is_not_there_counts_nothing(lab) -> None:
    async with lab.serving() as (server, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        assert server.disconnect_peer("nobody.example", DisconnectCause.BUSY) == 0
        assert server.disconnect_peer("", DisconnectCause.BUSY) == 0
        assert server.disconnect_peer("pgw.example", DisconnectCause.BUSY) == 1
        assert server.disconnect_peer("pgw.example", DisconnectCause.BUSY) == 0
        await dpr_of(gateway)


async def test_peer_that_was_sent_away_may_come_back(lab) -> None:
    async with lab.serving() as (server, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        server.disconnect_peer("pgw.example", DisconnectCause.REBOOTING)
        _, *identifiers = await dpr_of(gateway)
        await gateway.send(dpa(gateway, *identifiers))
        await gateway.sees_the_end()
        again = await (await lab.connect(listeners[0])).opens()
        _, result, _ = await again.answer_to(again.ccr(1))
        assert result == 2001
