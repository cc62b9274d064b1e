"""Everything that can go wrong on purpose. One sentence each: what was wrong, and what would be right.

The core never knows HTTP: api.errors maps these classes to status codes, the CLI maps them to exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from regrow.core.names import printable


class RegrowError(Exception):
    """Base of all errors that are the caller's or the environment's, not a bug of Regrow."""


class InvalidSettings(RegrowError):
    """An option or setting is outside its range."""


class ImageError(RegrowError):
    """The input is not a picture that can be encoded."""


class UnsupportedImage(ImageError):
    """Not a PNG, JPEG or WebP file, or of a kind that is not read: HDR, a JPEG of 12 bits or a hierarchical one."""


class ImageTooLarge(ImageError):
    """More pixels, patches or bytes than the limits allow."""


class DamagedImage(ImageError):
    """The right kind of file, but truncated, corrupt, or of a size or mode that cannot be encoded."""


class BundleError(RegrowError):
    """The bytes are not a bundle that can be decoded."""


class NotABundle(BundleError):
    """The magic is missing: another kind of file."""


class UnsupportedBundle(BundleError):
    """A bundle, but of a version or profile that this decoder does not know."""


class DamagedBundle(BundleError):
    """A checksum, length or field of the bundle is wrong."""


class BudgetTooSmall(RegrowError):
    """No bundle of the picture is as small as was asked for."""


class DamagedCheckpoint(RegrowError):
    """What a partly fitted batch left behind is truncated, corrupt, or of another release, engine or task."""


class FitStopped(RegrowError):
    """The fit was asked to stop (cancel, shutdown) before it was done."""


class JobError(RegrowError):
    """Something about a job."""


class WorkerNotFound(RegrowError):
    """There is no live worker of this id."""


class JobNotFound(JobError):
    """No job has this id."""


class GroupNotFound(JobError):
    """No group has this id."""


class JobNotFinished(JobError):
    """The job has no picture yet."""


class JobFailed(JobError):
    """The job ended without a picture."""


class ServiceUnavailable(RegrowError):
    """What is needed cannot be reached, refuses to work, or has no room for more at the moment."""


class StorageFull(ServiceUnavailable):
    """The blob store has no room left."""


class UnfitStore(ServiceUnavailable):
    """The blob store answers, but cannot do what the service needs. Waiting does not help."""


class VersionSkew(RegrowError):
    """API and workers are of releases that do not understand each other."""


class TooBusy(RegrowError):
    """More patches are outstanding than are allowed at a time."""


class TooManyRequests(RegrowError):
    """As many of the owner's requests of this kind are being answered as may be at a time."""


class JobEnded(JobError):
    """The job has ended already, so it cannot be stopped."""


class JobNotRetryable(JobError):
    """The job has not failed, and was not cancelled."""


class IdempotencyConflict(RegrowError):
    """The idempotency key was used for another request."""


class IdempotencyInFlight(RegrowError):
    """The first request with this idempotency key is not answered yet."""


class DeliveryNotFound(RegrowError):
    """No webhook delivery has this id."""


class BlobNotFound(RegrowError):
    """The blob store has no object under this key."""


class NotAuthenticated(RegrowError):
    """No API key was shown, or one that is unknown, revoked or expired."""


class Forbidden(RegrowError):
    """The API key does not allow this, or the request comes from another site's page."""


class KeyNotFound(RegrowError):
    """There is no API key with this id."""


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """For what runs as a process: an error of ours is a line on stderr, and ends it with exit code 1."""
    try:
        yield
    except RegrowError as error:
        sys.exit(printable(f"regrow: {error}"))
