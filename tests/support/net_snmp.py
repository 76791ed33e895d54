"""net-snmp's `snmptrap` and `snmpinform` as senders that we did not write."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from ocs.faults.snmp.usm import UsmUser

needs_net_snmp = pytest.mark.skipif(
    shutil.which("snmptrap") is None or shutil.which("snmpinform") is None,
    reason="snmptrap and snmpinform (Debian: snmp) are not installed",
)

PASSWORD = "authpass12"
PRIVACY_PASSWORD = "privpass12"
# net-snmp's names of protocols beside ours.
AUTHENTICATIONS = {
    "md5": "MD5",
    "sha1": "SHA",
    "sha224": "SHA-224",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
}
PRIVACIES = {"des": "DES", "aes128": "AES", "aes192": "AES-192", "aes256": "AES-256"}
SENDER_ENGINE_ID = bytes.fromhex("80001f880401020304")
LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
# One varbind of each kind that the tools can send: name, its letter, value.
VARBINDS = (
    ("1.3.6.1.2.1.2.2.1.1.7", "i", "7"),
    ("1.3.6.1.2.1.31.1.1.1.1.7", "s", "ge-0/0/7"),
    ("1.3.6.1.4.1.9.1", "c", "4000000000"),
    ("1.3.6.1.4.1.9.2", "a", "10.1.2.3"),
    ("1.3.6.1.4.1.9.3", "o", "1.3.6.1.4.1.4294967295.2"),
    ("1.3.6.1.4.1.9.4", "t", "12345"),
    ("1.3.6.1.4.1.9.5", "C", "18446744073709551615"),
    ("1.3.6.1.4.1.9.6", "i", "-2147483648"),
    ("1.3.6.1.4.1.9.7", "x", "00ff80"),
    ("1.3.6.1.4.1.9.8", "u", "4294967295"),
    ("1.3.6.1.4.1.9.9", "F", "1.5"),
    ("1.3.6.1.4.1.9.10", "n", ""),
    ("1.3.6.1.4.1.9.11", "s", ""),
)
# What they say: name, syntax, value.
SAID = (
    ("1.3.6.1.2.1.2.2.1.1.7", 0x02, 7),
    ("1.3.6.1.2.1.31.1.1.1.1.7", 0x04, b"ge-0/0/7"),
    ("1.3.6.1.4.1.9.1", 0x41, 4_000_000_000),
    ("1.3.6.1.4.1.9.2", 0x40, bytes((10, 1, 2, 3))),
    ("1.3.6.1.4.1.9.3", 0x06, "1.3.6.1.4.1.4294967295.2"),
    ("1.3.6.1.4.1.9.4", 0x43, 12_345),
    ("1.3.6.1.4.1.9.5", 0x46, 18_446_744_073_709_551_615),
    ("1.3.6.1.4.1.9.6", 0x02, -2_147_483_648),
    ("1.3.6.1.4.1.9.7", 0x04, bytes((0x00, 0xFF, 0x80))),
    ("1.3.6.1.4.1.9.8", 0x42, 4_294_967_295),
    ("1.3.6.1.4.1.9.9", 0x44, bytes.fromhex("9f78043fc00000")),
    ("1.3.6.1.4.1.9.10", 0x05, None),
    ("1.3.6.1.4.1.9.11", 0x04, b""),
)


@dataclass(frozen=True)
class Protection:
    """A user of version 3 by its protocols, in our names; none for none."""

    authentication: str = "none"
    privacy: str = "none"

    @property
    def user_name(self) -> str:
        return f"{self.authentication}-{self.privacy}"

    @property
    def level(self) -> int:
        return 1 + (self.authentication != "none") + (self.privacy != "none")

    def user(self) -> UsmUser:
        return UsmUser(
            self.user_name,
            authentication=self.authentication,
            authentication_password=PASSWORD.encode() if self.level > 1 else b"",
            privacy=self.privacy,
            privacy_password=PRIVACY_PASSWORD.encode() if self.level > 2 else b"",
        )

    def arguments(self) -> list[str]:
        """What makes the tools send as this user."""
        level = ("noAuthNoPriv", "authNoPriv", "authPriv")[self.level - 1]
        arguments = ["-v3", "-u", self.user_name, "-l", level]
        if self.level > 1:
            arguments += ["-a", AUTHENTICATIONS[self.authentication], "-A", PASSWORD]
        if self.level > 2:
            arguments += ["-x", PRIVACIES[self.privacy], "-X", PRIVACY_PASSWORD]
        return arguments


PROTECTIONS = (
    Protection(),
    *(Protection(authentication) for authentication in AUTHENTICATIONS),
    *(Protection(authentication, privacy) for authentication in AUTHENTICATIONS for privacy in PRIVACIES),
)


def varbind_arguments(count: int = len(VARBINDS)) -> list[str]:
    return [argument for varbind in VARBINDS[:count] for argument in varbind]


async def run(folder: Path, tool: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a tool; what it keeps (its engine's boots) lies in ``folder``. It reads no configuration and no MIBs."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "SNMPCONFPATH": str(folder),
        "SNMP_PERSISTENT_DIR": str(folder / "kept"),
        "MIBS": "",
    }
    return await trio.run_process(
        [tool, *arguments], capture_stdout=True, capture_stderr=True, check=False, env=environment
    )
