"""The protocol of blob stores."""

from __future__ import annotations

from typing import Protocol


class BlobStore(Protocol):
    """Whole objects under keys such as `jobs/<id>/job.json`.

    An object is visible whole or not at all. Every method raises ServiceUnavailable when the store cannot be reached.
    """

    def put(self, key: str, data: bytes) -> None:
        """Write the object, replacing one that is there."""
        ...

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write the object unless one is there; whether this call wrote it. Of several at once, exactly one does.

        Raises UnfitStore where the store says that it cannot do this.
        """
        ...

    def get(self, key: str) -> bytes:
        """The object. Raises BlobNotFound."""
        ...

    def exists(self, key: str) -> bool:
        """Whether there is an object under the key."""
        ...

    def folders(self, prefix: str) -> list[str]:
        """What follows the prefix, up to the next slash, in the keys that have one; sorted, each once."""
        ...

    def list(self, prefix: str) -> list[str]:
        """All keys that start with the prefix, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object, if it is there."""
        ...

    def tidy(self) -> None:
        """Remove what writers that were killed left behind."""
        ...

    def check(self) -> None:
        """Raises ServiceUnavailable unless the store answers, and UnfitStore as `check_fit`."""
        ...

    def check_fit(self) -> None:
        """Raises UnfitStore where `put_if_absent` does not keep its promise. Cheap: asks the store once a minute."""
        ...


def delete_all(store: BlobStore, prefix: str) -> None:
    """Remove every object whose key starts with the prefix."""
    for key in store.list(prefix):
        store.delete(key)
