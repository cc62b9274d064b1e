"""Who makes a request, and whose jobs they may see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from regrow.core.errors import InvalidSettings

_OWNER = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Role(StrEnum):
    """user: sees and ends its owner's jobs. admin: everybody's, and the dashboard."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request. owner: whose jobs these are. key_id: of the key that was shown, None where none is needed.
    max_patches: how many of the owner's may be outstanding at a time, 0 for no limit; None for the service's own limit.
    """

    owner: str
    role: Role
    key_id: str | None = None
    max_patches: int | None = None

    @property
    def sees_all(self) -> bool:
        """Whether everybody's jobs are there for this one, and the dashboard."""
        return self.role is Role.ADMIN

    def sees(self, owner: str) -> bool:
        """Whether what belongs to the owner is there for this one."""
        return self.sees_all or owner == self.owner


def check_owner(name: str) -> str:
    """The name of an owner. Raises InvalidSettings: it becomes part of keys in Redis."""
    if not _OWNER.fullmatch(name):
        raise InvalidSettings(
            f"{name!r} cannot be an owner: 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first"
        )
    return name


LOCAL = "local"
"""The owner of every job of a service without keys."""
