"""pysnmp as a sender of notifications, a program of its own: it speaks asyncio.

Reads a list of cases from standard input (JSON), sends each, and writes one line of JSON for each: the error that pysnmp
saw, empty if there was none. A case names ``kind`` (trap or inform), ``authentication`` and ``privacy`` in our names, or
neither for v2c.
"""

import asyncio
import json
import sys
from typing import Any

from pysnmp.hlapi.v3arch import asyncio as hlapi

AUTHENTICATIONS = {
    "none": hlapi.USM_AUTH_NONE,
    "md5": hlapi.USM_AUTH_HMAC96_MD5,
    "sha1": hlapi.USM_AUTH_HMAC96_SHA,
    "sha224": hlapi.USM_AUTH_HMAC128_SHA224,
    "sha256": hlapi.USM_AUTH_HMAC192_SHA256,
    "sha384": hlapi.USM_AUTH_HMAC256_SHA384,
    "sha512": hlapi.USM_AUTH_HMAC384_SHA512,
}
PRIVACIES = {
    "none": hlapi.USM_PRIV_NONE,
    "des": hlapi.USM_PRIV_CBC56_DES,
    "aes128": hlapi.USM_PRIV_CFB128_AES,
    "aes192": hlapi.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "aes256": hlapi.USM_PRIV_CFB256_AES_BLUMENTHAL,
}


def user(case: dict[str, Any]) -> Any:
    if "authentication" not in case:
        return hlapi.CommunityData("public", mpModel=1)
    return hlapi.UsmUserData(
        f"{case['authentication']}-{case['privacy']}",
        None if case["authentication"] == "none" else case["password"],
        None if case["privacy"] == "none" else case["privacy_password"],
        authProtocol=AUTHENTICATIONS[case["authentication"]],
        privProtocol=PRIVACIES[case["privacy"]],
    )


async def send(case: dict[str, Any]) -> str:
    engine = hlapi.SnmpEngine(hlapi.OctetString(hexValue="80001f88040908070605"))
    target = await hlapi.UdpTransportTarget.create(("127.0.0.1", case["port"]), timeout=20, retries=0)
    varbinds: list[Any] = [
        hlapi.ObjectType(hlapi.ObjectIdentity("1.3.6.1.2.1.1.3.0"), hlapi.TimeTicks(4242)),
        hlapi.ObjectType(
            hlapi.ObjectIdentity("1.3.6.1.6.3.1.1.4.1.0"), hlapi.ObjectIdentifier("1.3.6.1.6.3.1.1.5.3")
        ),
        hlapi.ObjectType(hlapi.ObjectIdentity("1.3.6.1.4.1.9.1"), hlapi.OctetString(case["text"])),
    ]
    error, status, _, _ = await hlapi.send_notification(
        engine, user(case), target, hlapi.ContextData(), case["kind"], *varbinds
    )
    engine.close_dispatcher()
    return str(error or "") + (f" error-status {status}" if status else "")


async def main() -> None:
    for case in json.load(sys.stdin):
        print(json.dumps(await send(case)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
