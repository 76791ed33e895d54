"""The messages recorded from stacks that we did not write (`tests/data/gy/ORIGIN.md`)."""

import csv
from pathlib import Path

from bench.templates import avp

FOLDER = Path(__file__).resolve().parent.parent / "data" / "gy"
MAGMA_SUBSCRIBERS = tuple(str(number) for number in range(1_234_567_810, 1_234_567_818))
# The names under which the recorded requests look for their server.
MAGMA_HOST, MAGMA_REALM = "tvm-vocs.magma.com", "magma.com"
_DESTINATION_HOST, _DESTINATION_REALM = 293, 283


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def octets(row: dict[str, str]) -> bytes:
    return bytes.fromhex(row["message_hex"])


def erlang_cer() -> bytes:
    return bytes.fromhex((FOLDER / "erlang_cer.hex").read_text())


def is_broken(row: dict[str, str]) -> bool:
    """Whether the header says another length or version than the message has."""
    return row.get("note", "").startswith("HEADER_MISMATCH")


def split(message: bytes) -> list[bytes]:
    """The AVPs of a message, each with header and padding."""
    parts: list[bytes] = []
    rest = message[20:]
    while rest:
        length = int.from_bytes(rest[5:8]) + 3 & ~3
        parts.append(rest[:length])
        rest = rest[length:]
    return parts


def joined(message: bytes, parts: list[bytes]) -> bytes:
    """The message with other AVPs."""
    body = b"".join(parts)
    return message[:1] + (20 + len(body)).to_bytes(3) + message[4:20] + body


def readdressed(message: bytes) -> bytes:
    """The message as it would be, had its sender known our name."""
    names = {_DESTINATION_HOST: MAGMA_HOST, _DESTINATION_REALM: MAGMA_REALM}

    def put(part: bytes) -> bytes:
        code = int.from_bytes(part[:4])
        return avp(code, names[code].encode()) if code in names else part

    return joined(message, [put(part) for part in split(message)])


def all_messages() -> list[bytes]:
    """Every recorded message, whole or broken."""
    return [octets(row) for name in ("magma", "qubership", "freediameter") for row in rows(name)] + [
        erlang_cer()
    ]
