"""Voice service of a subscriber: a public identity in the IMS, registered by a private one, with a service profile.

Service profiles are resources, ``voice-profile/residential``, as those of :mod:`.mobile_data`.
"""

from typing import Annotated, ClassVar, Final

import msgspec

from ocs.inventory.model import Service, Use
from ocs.provisioning.services.model import (
    Allocation,
    Name,
    NetworkView,
    elements_of_role,
    entry,
    read_attributes,
    read_parameters,
    within,
)

_IMS: Final = "/ocs-voice:ims"
_ROLES: Final = ("ims",)


class VoiceParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is ordered.

    Attributes:
        public_identity: SIP or tel URI (3GPP TS 23.003 section 13.4). private_identity: a NAI (section 13.3).
            service_profile: by name; the inventory has ``voice-profile/NAME``. is_barred: it may be registered, and
            not be used. region: a site; the IMS elements in it; empty: all.
    """

    public_identity: Annotated[
        str,
        msgspec.Meta(
            max_length=255,
            pattern=r"^(?:sips?:[^\s'\"<>@]+@[^\s'\"<>@]+|tel:\+[0-9]{5,15})\Z",
            examples=["tel:+4930123456"],
        ),
    ]
    private_identity: Annotated[
        str,
        msgspec.Meta(
            max_length=255, pattern=r"^[^\s'\"<>@:]+@[^\s'\"<>@:]+\Z", examples=["alice@ims.example"]
        ),
    ]
    service_profile: Annotated[Name, msgspec.Meta(examples=["residential"])]
    is_barred: Annotated[bool, msgspec.Meta(examples=[True])] = False
    region: Annotated[str, msgspec.Meta(examples=["site/north"])] = ""


class VoiceProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the inventory says of a service profile.

    Attributes:
        application_server: a SIP URI. simultaneous_sessions_max: of one public identity; 0: any number.
    """

    application_server: Annotated[str, msgspec.Meta(max_length=255, pattern=r"^sips?:[^\s'\"<>]+\Z")]
    simultaneous_sessions_max: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0


class Voice:
    """Voice of a subscriber: a public identity in the IMS, with a service profile."""

    name: ClassVar[str] = "voice"
    parameters_type: ClassVar[type[msgspec.Struct]] = VoiceParameters

    def elements(self, service: Service, network: NetworkView) -> tuple[str, ...]:
        """The IMS elements of the region."""
        return elements_of_role(network, _ROLES, read_parameters(service, VoiceParameters).region)

    def allocations(self, service: Service, network: NetworkView) -> tuple[Allocation, ...]:
        """None: identities are given."""
        del service, network
        return ()

    def wanted(self, service: Service, network: NetworkView) -> dict[str, dict[str, str | None]]:
        """Service profile and public identity on each element."""
        ordered = read_parameters(service, VoiceParameters)
        profile = read_attributes(network, f"voice-profile/{ordered.service_profile}", VoiceProfile)
        profile_leaves: dict[str, str | None] = {"application-server": profile.application_server}
        if profile.simultaneous_sessions_max:
            profile_leaves["simultaneous-sessions-maximum"] = str(profile.simultaneous_sessions_max)
        configuration = {
            **within(entry(f"{_IMS}/service-profile", name=ordered.service_profile), profile_leaves),
            **within(
                entry(f"{_IMS}/public-identity", identity=ordered.public_identity),
                {
                    "private-identity": ordered.private_identity,
                    "service-profile": ordered.service_profile,
                    "barring-indication": "true" if ordered.is_barred else "false",
                },
            ),
        }
        return dict.fromkeys(self.elements(service, network), configuration)

    def uses(self, service: Service, network: NetworkView) -> tuple[Use, ...]:
        """The elements, and the profile."""
        ordered = read_parameters(service, VoiceParameters)
        return (
            *(Use(name, "ims") for name in self.elements(service, network)),
            Use(f"voice-profile/{ordered.service_profile}", "service-profile"),
        )
