"""What backups refuse."""


class NoSuchBackupError(Exception):
    """There is no such backup; one line for the operator."""
