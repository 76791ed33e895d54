"""Secrets come from files of their own: a configuration is shown around."""

import stat
from pathlib import Path


class SecretFileError(ValueError):
    """A file with a secret is missing, empty, or open to everybody; ``str()`` is one line with the remedy."""


def read_secret_file(path: Path) -> str:
    """Read a secret from its own file, without the newline that editors add.

    Raises:
        SecretFileError: missing, empty, or readable by everybody.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            content = file.read(65_537)
    except OSError as error:
        raise SecretFileError(f"{path}: cannot read this secret: {error.strerror}") from None
    if mode & stat.S_IROTH:
        raise SecretFileError(f"{path}: everybody can read this secret: run `chmod o-r {path}`")
    secret = content.decode("utf-8", "replace").rstrip("\r\n")
    if not secret or len(content) > 65_536:
        raise SecretFileError(
            f"{path}: expected one line with the secret, and this file is empty or far too long"
        )
    return secret
