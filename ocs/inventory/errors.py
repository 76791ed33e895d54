"""What the inventory refuses: one line that names the resource and what would be right."""


class InventoryError(Exception):
    """What was asked for does not fit what is there; ``str()`` is one line for the operator."""


class NotInInventoryError(InventoryError):
    """Nothing has that name."""


class InUseError(InventoryError):
    """It is there already, or something still depends on it, or somebody else has it."""


class StaleError(InventoryError):
    """Somebody changed it since it was read: read it again."""


class ExhaustedError(InventoryError):
    """Nothing is free in there."""
