"""Inventory: resources and what depends on them, elements, VLANs, prefixes, services, numbers, SIMs, what was found."""

from typing import Final

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

revision = "0002"
down_revision = "0001"

# The names of the step's own moment: later steps change tables, not this one.
_TABLES: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")


def _one_of(column: str, *values: str) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


Table(
    "resource",
    _TABLES,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("resource_id", String(200), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("parent", _NUMBER, ForeignKey("resource.number"), nullable=True, index=True),
    Column("anchor", _NUMBER, ForeignKey("resource.number"), nullable=True, index=True),
    Column("lifecycle", String(16), nullable=False),
    Column("administrative_state", String(16), nullable=False),
    Column("operational_state", String(16), nullable=False),
    Column("is_uplink", Boolean, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint(
        _one_of("kind", "site", "element", "card", "interface", "part", "link", "prefix", "vlan", "logical"),
        name="ck_resource_kind",
    ),
    CheckConstraint(_one_of("lifecycle", "planned", "as-built", "retired"), name="ck_resource_lifecycle"),
    CheckConstraint(
        _one_of("administrative_state", "unlocked", "shutting-down", "locked"),
        name="ck_resource_administrative_state",
    ),
    CheckConstraint(
        _one_of("operational_state", "unknown", "enabled", "disabled"), name="ck_resource_operational_state"
    ),
    CheckConstraint("number <> parent", name="ck_resource_parent"),
    CheckConstraint("version >= 1", name="ck_resource_version"),
    Index("ix_resource_kind_resource_id", "kind", "resource_id"),
)

Table(
    "resource_reliance",
    _TABLES,
    Column("resource", _NUMBER, ForeignKey("resource.number"), primary_key=True),
    Column("ordinal", SmallInteger, primary_key=True),
    Column("upon", _NUMBER, ForeignKey("resource.number"), nullable=False, index=True),
    UniqueConstraint("resource", "upon", name="uq_resource_reliance_resource_upon"),
)

Table(
    "link_end",
    _TABLES,
    Column("link", _NUMBER, ForeignKey("resource.number"), primary_key=True),
    Column("ordinal", SmallInteger, primary_key=True),
    Column("interface", _NUMBER, ForeignKey("resource.number"), nullable=False, index=True),
    UniqueConstraint("link", "interface", name="uq_link_end_link_interface"),
)

Table(
    "resource_dependency",
    _TABLES,
    Column("upon", BigInteger, primary_key=True),
    Column("dependent", BigInteger, primary_key=True),
    Column("owner", _NUMBER, ForeignKey("resource.number"), primary_key=True, index=True),
)

Table(
    "element",
    _TABLES,
    Column("resource", _NUMBER, ForeignKey("resource.number"), primary_key=True),
    Column("role", String(64), nullable=False, index=True),
    Column("type_name", String(64), nullable=False),
    Column("address", String(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("credential", String(64), nullable=False),
    Column("host_key", Text, nullable=False),
    CheckConstraint("port BETWEEN 0 AND 65535", name="ck_element_port"),
    CheckConstraint("(type_name = '') = (address = '')", name="ck_element_management"),
)

Table(
    "element_address",
    _TABLES,
    Column("element", _NUMBER, ForeignKey("element.resource"), primary_key=True),
    Column("ordinal", SmallInteger, primary_key=True),
    Column("address", String(64), nullable=False, unique=True),
)

Table(
    "vlan",
    _TABLES,
    Column("resource", _NUMBER, ForeignKey("resource.number"), primary_key=True),
    Column("site", String(200), nullable=False),
    Column("vlan_id", Integer, nullable=False),
    UniqueConstraint("site", "vlan_id", name="uq_vlan_site_vlan_id"),
    CheckConstraint("vlan_id BETWEEN 1 AND 4094", name="ck_vlan_vlan_id"),
)

Table(
    "prefix",
    _TABLES,
    Column("resource", _NUMBER, ForeignKey("resource.number"), primary_key=True),
    Column("vrf", String(100), nullable=False),
    Column("family", SmallInteger, nullable=False),
    Column("first", LargeBinary(16), nullable=False),
    Column("last", LargeBinary(16), nullable=False),
    Column("length", SmallInteger, nullable=False),
    UniqueConstraint("vrf", "family", "first", "length", name="uq_prefix_vrf_family_first_length"),
    CheckConstraint("family IN (4, 6)", name="ck_prefix_family"),
    CheckConstraint("length BETWEEN 0 AND 128", name="ck_prefix_length"),
    CheckConstraint("first <= last", name="ck_prefix_first"),
)

Table(
    "reservation",
    _TABLES,
    Column("resource", _NUMBER, ForeignKey("resource.number"), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("purpose", String(100), nullable=False),
    Column("expires_ms", BigInteger, nullable=True, index=True),
    UniqueConstraint("holder", "purpose", name="uq_reservation_holder_purpose"),
)

Table(
    "footprint",
    _TABLES,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("anchors", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("services", BigInteger, nullable=False),
    Column("subscribers", BigInteger, nullable=False),
    CheckConstraint("services >= 0", name="ck_footprint_services"),
    CheckConstraint("subscribers >= 0", name="ck_footprint_subscribers"),
)

Table(
    "footprint_anchor",
    _TABLES,
    Column("anchor", _NUMBER, ForeignKey("resource.number"), primary_key=True),
    Column("footprint", _NUMBER, ForeignKey("footprint.number"), primary_key=True, index=True),
)

Table(
    "service",
    _TABLES,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("service_id", String(200), nullable=False, unique=True),
    Column("model", String(64), nullable=False),
    Column("parameters", Text, nullable=False),
    Column("allocations", Text, nullable=False),
    Column("customer", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("subscribers", Integer, nullable=False),
    Column("footprint", _NUMBER, ForeignKey("footprint.number"), nullable=False),
    Column("version", Integer, nullable=False),
    CheckConstraint(
        _one_of("state", "designed", "reserved", "inactive", "active", "terminated"), name="ck_service_state"
    ),
    CheckConstraint("subscribers >= 0", name="ck_service_subscribers"),
    CheckConstraint("version >= 1", name="ck_service_version"),
    Index("ix_service_footprint_number", "footprint", "number"),
    Index("ix_service_model_service_id", "model", "service_id"),
    Index("ix_service_customer_service_id", "customer", "service_id"),
)

Table(
    "service_use",
    _TABLES,
    Column("service", _NUMBER, ForeignKey("service.number"), primary_key=True),
    Column("resource", _NUMBER, ForeignKey("resource.number"), primary_key=True),
    Column("role", String(64), primary_key=True),
    Index("ix_service_use_resource_service", "resource", "service"),
)

Table(
    "number_range",
    _TABLES,
    Column("name", String(100), primary_key=True),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    CheckConstraint("first <= last", name="ck_number_range_first"),
)

Table(
    "directory_number",
    _TABLES,
    Column("msisdn", BigInteger, primary_key=True, autoincrement=False),
    Column("range", String(100), ForeignKey("number_range.name"), nullable=True),
    Column("state", String(16), nullable=False),
    Column("holder", String(200), nullable=False),
    Column("until_ms", BigInteger, nullable=True),
    Column("network", String(100), nullable=False),
    CheckConstraint(
        _one_of("state", "available", "reserved", "assigned", "quarantined", "ported-out"),
        name="ck_directory_number_state",
    ),
    CheckConstraint(
        "(state IN ('reserved', 'assigned')) = (holder <> '')", name="ck_directory_number_holder"
    ),
    CheckConstraint(
        "(state IN ('reserved', 'quarantined')) = (until_ms IS NOT NULL)", name="ck_directory_number_until_ms"
    ),
    CheckConstraint(
        "(range IS NULL OR state = 'ported-out') = (network <> '')", name="ck_directory_number_network"
    ),
    Index("ix_directory_number_range_state_msisdn", "range", "state", "msisdn"),
    Index("ix_directory_number_holder", "holder"),
    Index("ix_directory_number_until_ms", "until_ms"),
)

Table(
    "sim",
    _TABLES,
    Column("iccid", String(20), primary_key=True),
    Column("imsi", String(15), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("holder", String(200), nullable=False, index=True),
    Column("sealed_ki", LargeBinary, nullable=False),
    CheckConstraint(_one_of("state", "available", "assigned", "blocked", "retired"), name="ck_sim_state"),
    CheckConstraint("state <> 'assigned' OR holder <> ''", name="ck_sim_holder"),
)

Table(
    "discovered_resource",
    _TABLES,
    Column("element", String(200), primary_key=True),
    Column("resource_id", String(200), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("parent", String(200), nullable=False),
    Column("attributes", Text, nullable=False),
    Column("neighbour", String(200), nullable=False),
    Column("source", String(16), primary_key=True),
    Column("seen_ms", BigInteger, nullable=False),
)

_VERSION = Table(
    "inventory_version",
    _TABLES,
    Column("name", String(16), primary_key=True),
    Column("version", BigInteger, nullable=False),
)


def upgrade() -> None:
    """Make the tables."""
    _TABLES.create_all(op.get_bind())
    op.bulk_insert(_VERSION, [{"name": "resources", "version": 1}, {"name": "services", "version": 1}])


def downgrade() -> None:
    """Drop them."""
    _TABLES.drop_all(op.get_bind())
