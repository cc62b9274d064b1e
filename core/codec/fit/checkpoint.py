"""Checkpoints: what partly fitted rules leave behind, so that whoever goes on with them ends at the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from regrow.core.errors import DamagedCheckpoint, RegrowError

Arrays = dict[str, npt.NDArray[Any]]
"""Arrays by name. In a checkpoint, each has one row per rule."""

_State = TypeVar("_State")


def never() -> bool:
    """False: for a hook that nobody set."""
    return False


def ignore(state: object) -> None:
    """Do nothing with it: for a hook that nobody set."""
    del state


@dataclass(frozen=True, slots=True)
class Checkpoints(Generic[_State]):
    """Where an encode of a batch of patches (as bytes), or one fit (as FitCheckpoint), leaves its state.

    resume: what `save` was given last for these very patches, or None. due: asked every few iterations, from the
    fitting thread. save: called there too, wherever `due` is true, and before FitHooks.should_stop ends the fit; what
    it raises ends the fit as well.
    """

    resume: _State | None = None
    due: Callable[[], bool] = never
    save: Callable[[_State], None] = ignore

    @property
    def wanted(self) -> bool:
        """Whether somebody keeps what is saved."""
        return self.save is not ignore


@dataclass(frozen=True, slots=True, eq=False)
class FitCheckpoint:
    """What a fit of G rules has. Treat the arrays as read-only.

    engine: its name. running: the stage that runs. stages: by name, what each finished stage made and where the
    running one is.
    """

    engine: str
    running: str
    stages: dict[str, Arrays]

    def part(self, which: slice) -> FitCheckpoint:
        """Of some of the rules, which may go on without the others."""
        stages = {
            stage: {name: array[which] for name, array in arrays.items()} for stage, arrays in self.stages.items()
        }
        return FitCheckpoint(self.engine, self.running, stages)


def with_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """The arrays under longer names, to be put beside others."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def without_prefix(prefix: str, arrays: Arrays) -> Arrays:
    """Those of the arrays that `with_prefix` has named."""
    return {name[len(prefix) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{prefix}.")}


def pick(arrays: Arrays, rules: npt.NDArray[np.intp]) -> Arrays:
    """Copies of some rules' rows."""
    return {name: array[rules] for name, array in arrays.items()}


def spread(arrays: Arrays, rules: npt.NDArray[np.intp], count: int) -> Arrays:
    """Copies with a row for each of `count` rules: of those that have none, zeros. The opposite of `pick`."""
    whole = {name: np.zeros((count, *array.shape[1:]), array.dtype) for name, array in arrays.items()}
    for name, array in arrays.items():
        whole[name][rules] = array
    return whole


def common(values: npt.NDArray[np.int64], end: int) -> int:
    """The number below `end` that is the same for all rules. Raises DamagedCheckpoint."""
    value = int(values[0])
    if (values != value).any() or not 0 <= value < end:
        raise DamagedCheckpoint("its rules are not at one point of the fit")
    return value


def require_like(found: Arrays, own: Arrays) -> None:
    """Raises DamagedCheckpoint where the names, types and shapes are not those of a state of one's own."""
    if {name: (array.dtype, array.shape) for name, array in found.items()} != {
        name: (array.dtype, array.shape) for name, array in own.items()
    }:
        raise DamagedCheckpoint("its arrays are not those of this fit")


@contextmanager
def damage_as_error() -> Iterator[None]:
    """While a checkpoint is read: whatever is wrong with it raises DamagedCheckpoint."""
    try:
        yield
    except DamagedCheckpoint:
        raise
    except (RegrowError, ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise DamagedCheckpoint(f"it does not make sense: {type(error).__name__}: {error}") from error
