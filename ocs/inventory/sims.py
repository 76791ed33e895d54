"""SIMs: which there are, who has which, and their keys, sealed."""

import enum
from collections.abc import Iterable

import msgspec
from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.exc import IntegrityError

from ocs.inventory.errors import InUseError, NotInInventoryError
from ocs.inventory.iccid import check_iccid, check_imsi
from ocs.inventory.sim_keys import SimKeys
from ocs.inventory.statements import in_batches, insert_rows, page_size
from ocs.inventory.tables import SIM


class SimState(enum.StrEnum):
    """Where a SIM is in its life."""

    AVAILABLE = "available"
    ASSIGNED = "assigned"
    BLOCKED = "blocked"  # lost or stolen; whoever has it keeps it
    RETIRED = "retired"  # for good


class Sim(msgspec.Struct, frozen=True, kw_only=True):
    """A SIM without its Ki, which :func:`open_ki` alone gives out.

    Attributes:
        holder: the service that has it; empty: nobody.
    """

    iccid: str
    imsi: str
    state: SimState = SimState.AVAILABLE
    holder: str = ""


class NewSim(msgspec.Struct, frozen=True, kw_only=True):
    """A SIM as its maker delivers it; ``repr`` does not show the key.

    Attributes:
        ki: in hexadecimal.
    """

    iccid: str
    imsi: str
    ki: str

    def __repr__(self) -> str:
        return f"NewSim(iccid={self.iccid!r}, imsi={self.imsi!r})"


def add_sims(connection: Connection, sims: Iterable[NewSim], keys: SimKeys) -> int:
    """Put a delivery into the inventory; returns how many.

    Raises:
        InventoryError: digits that are no ICCID, IMSI or Ki. InUseError: one is there already. The transaction is to be
            given up.
    """
    count = 0
    for batch in in_batches(sims):
        for sim in batch:
            check_iccid(sim.iccid)
            check_imsi(sim.imsi)
        _check_new(connection, batch)
        rows = [
            {
                "iccid": sim.iccid,
                "imsi": sim.imsi,
                "state": str(SimState.AVAILABLE),
                "holder": "",
                "sealed_ki": keys.seal(sim.ki, iccid=sim.iccid, imsi=sim.imsi),
            }
            for sim in batch
        ]
        try:
            insert_rows(connection, SIM, rows)
        except IntegrityError:
            # The error would hold the rows: it ends here.
            raise InUseError("one of these SIMs is there twice, or was put in at the same moment") from None
        count += len(rows)
    return count


def find_sim(connection: Connection, identity: str) -> Sim | None:
    """A SIM by its ICCID or IMSI."""
    return next(iter(_read(connection, (SIM.c.iccid == identity) | (SIM.c.imsi == identity))), None)


def get_sim(connection: Connection, identity: str) -> Sim:
    """As :func:`find_sim`.

    Raises:
        NotInInventoryError: there is no such SIM.
    """
    found = find_sim(connection, identity)
    if found is None:
        raise NotInInventoryError(f"{identity}: no such SIM in the inventory")
    return found


def list_sims(
    connection: Connection,
    *,
    state: SimState | None = None,
    holder: str = "",
    after: str = "",
    limit: int = 100,
) -> list[Sim]:
    """A page of SIMs by ICCID; what is unsaid is any."""
    conditions: list[ColumnElement[bool]] = [SIM.c.iccid > after]
    if state is not None:
        conditions.append(SIM.c.state == str(state))
    if holder:
        conditions.append(SIM.c.holder == holder)
    return _read(connection, *conditions, limit=page_size(limit))


def assign_sim(connection: Connection, identity: str, holder: str) -> Sim:
    """Give a SIM to a service; doing so again changes nothing.

    Raises:
        NotInInventoryError: there is no such SIM. InUseError: somebody else has it, or it is blocked or retired.
    """
    sim = get_sim(connection, identity)
    if (sim.state, sim.holder) == (SimState.ASSIGNED, holder):
        return sim
    return _change(connection, sim, {SimState.AVAILABLE}, SimState.ASSIGNED, holder)


def block_sim(connection: Connection, identity: str) -> Sim:
    """Note that a SIM is lost or stolen; its holder keeps it.

    Raises:
        NotInInventoryError, InUseError: as :func:`assign_sim`.
    """
    sim = get_sim(connection, identity)
    return _change(connection, sim, {SimState.ASSIGNED, SimState.AVAILABLE}, SimState.BLOCKED, sim.holder)


def retire_sim(connection: Connection, identity: str) -> Sim:
    """Note that a SIM is never used again: what one subscriber had is not given to another.

    Raises:
        NotInInventoryError, InUseError: as :func:`assign_sim`.
    """
    sim = get_sim(connection, identity)
    every = {SimState.ASSIGNED, SimState.AVAILABLE, SimState.BLOCKED}
    return _change(connection, sim, every, SimState.RETIRED, "")


def open_ki(connection: Connection, identity: str, keys: SimKeys) -> bytes:
    """The Ki of a SIM, in clear, for whoever programs an authentication centre; it is shown to nobody.

    Raises:
        NotInInventoryError: there is no such SIM. InventoryError: it was sealed under another key.
    """
    sim = get_sim(connection, identity)
    sealed = connection.scalar(select(SIM.c.sealed_ki).where(SIM.c.iccid == sim.iccid))
    return keys.open(bytes(sealed or b""), iccid=sim.iccid, imsi=sim.imsi)


def _check_new(connection: Connection, sims: list[NewSim]) -> None:
    known = connection.execute(
        select(SIM.c.iccid, SIM.c.imsi).where(
            SIM.c.iccid.in_([sim.iccid for sim in sims]) | SIM.c.imsi.in_([sim.imsi for sim in sims])
        )
    ).first()
    if known is not None:
        raise InUseError(f"{known.iccid}: this SIM, with IMSI {known.imsi}, is in the inventory already")


def _change(connection: Connection, sim: Sim, before: set[SimState], state: SimState, holder: str) -> Sim:
    done = connection.execute(
        update(SIM)
        .where(
            SIM.c.iccid == sim.iccid,
            SIM.c.state.in_([str(one) for one in before]),
            SIM.c.state == str(sim.state),
            SIM.c.holder == sim.holder,
        )
        .values(state=str(state), holder=holder)
    )
    if done.rowcount != 1:
        raise InUseError(f"{sim.iccid}: a SIM that is {sim.state} cannot become {state}")
    return Sim(iccid=sim.iccid, imsi=sim.imsi, state=state, holder=holder)


def _read(connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None) -> list[Sim]:
    columns = (SIM.c.iccid, SIM.c.imsi, SIM.c.state, SIM.c.holder)
    rows = connection.execute(select(*columns).where(*conditions).order_by(SIM.c.iccid).limit(limit))
    return [
        Sim(iccid=iccid, imsi=imsi, state=SimState(state), holder=holder)
        for iccid, imsi, state, holder in rows
    ]
