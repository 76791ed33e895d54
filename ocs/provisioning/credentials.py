"""Who we are to network elements, and the secrets that configurations name instead of holding them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from ocs.limits import SECRET_CONCEALED_OCTETS_MIN, SECRETS_MAX
from ocs.secret_file import SecretFileError, read_secret_file
from ocs.settings import ElementCredentialSettings

# How a configuration names a secret.
SECRET_PREFIX: Final = "secret:"  # noqa: S105 (the word, not a secret)
# Behind it: what follows is no name, but the rest of a value that begins so by itself.
_LITERAL: Final = "="
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """How we say who we are: a user with a password, with a private key, or with the keys of an agent.

    Attributes:
        user: our name there. password: empty without one. key: a private key in OpenSSH's form, likewise.
        key_passphrase: opens the key. agent: the keys of the SSH agent that ``SSH_AUTH_SOCK`` names are used.
        enable_password: the second one of command lines that ask for it.
    """

    user: str
    password: str = ""
    key: str = ""
    key_passphrase: str = ""
    agent: bool = False
    enable_password: str = ""

    def __repr__(self) -> str:
        """Without the secrets: it may come into a log."""
        return f"Credential(user={self.user!r})"


def load_credential(settings: ElementCredentialSettings, folder: Path) -> Credential:
    """Read the files that a credential of the configuration names.

    Args:
        settings: one entry of ``[[provisioning.credentials]]``. folder: where relative paths start.

    Raises:
        SecretFileError: one of them is missing, empty, or open to everybody.
    """

    def read(name: str) -> str:
        return read_secret_file(folder / name) if name else ""

    return Credential(
        user=settings.user,
        password=read(settings.password_file),
        key=read(settings.key_file),
        key_passphrase=read(settings.key_passphrase_file),
        agent=settings.agent,
        enable_password=read(settings.enable_file),
    )


class Secrets:
    """Values of ``secret:NAME``: put in when something is sent, put back as the name when it is read.

    Two secrets never have one value: what is read could not be told apart.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        """Know these.

        Raises:
            SecretFileError: two of them have one value.
        """
        self._values = dict(values)
        self._names: dict[str, str] = {}
        for name, value in sorted(self._values.items()):
            if self._names.setdefault(value, name) != name:
                raise SecretFileError(
                    f"secrets {self._names[value]} and {name} have one value, and could not be told apart when an"
                    " element's configuration is read: use one of them, or give them different values"
                )

    def resolved(self, value: str) -> str:
        """What is sent for a value.

        Raises:
            KeyError: it names a secret that nobody has; holds the name.
        """
        if not value.startswith(SECRET_PREFIX):
            return value
        name = value.removeprefix(SECRET_PREFIX)
        return (
            f"{SECRET_PREFIX}{name.removeprefix(_LITERAL)}"
            if name.startswith(_LITERAL)
            else self._values[name]
        )

    def concealed(self, value: str) -> str:
        """What is told of a value that was read: the name of the secret whose value it is.

        A short secret is not put back: "1" or "public" may stand anywhere and mean something else. A value that looks
        like the name of a secret is marked as none: whoever may write a description must not learn a secret when what
        he wrote is restored.
        """
        if len(value) < SECRET_CONCEALED_OCTETS_MIN or value not in self._names:
            return (
                f"{SECRET_PREFIX}{_LITERAL}{value.removeprefix(SECRET_PREFIX)}"
                if value.startswith(SECRET_PREFIX)
                else value
            )
        return f"{SECRET_PREFIX}{self._names[value]}"

    def redacted(self, text: str) -> str:
        """What an element says, with the names of secrets in place of their values: it may repeat what it was sent."""
        for value, name in sorted(self._names.items(), key=lambda item: -len(item[0])):
            if len(value) >= SECRET_CONCEALED_OCTETS_MIN:
                text = text.replace(value, f"{SECRET_PREFIX}{name}")
        return text


def load_secrets(folder: Path | None) -> Secrets:
    """Read a folder of secrets, one file each, named by it; without a folder there are none.

    Raises:
        SecretFileError: the folder cannot be read, holds too many, or one of them is empty or open to everybody.
    """
    if folder is None:
        return Secrets({})
    try:
        paths = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
    except OSError as error:
        raise SecretFileError(f"{folder}: cannot read this folder of secrets: {error.strerror}") from None
    if len(paths) > SECRETS_MAX:
        raise SecretFileError(f"{folder}: expected at most {SECRETS_MAX} secrets, found {len(paths)}")
    return Secrets({path.name: read_secret_file(path) for path in paths})
