"""The CUDA engine's work memory: kept between calls, so that a fit allocates once and can be a CUDA graph."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Layout(NamedTuple):
    """How a patch lies in work memory: `slots` ringed states of height × width cells of `padded` channels, float32.

    Layouts are equal where a buffer can be shared: the rings and the padding channels are the same places, which are
    zero from the start, and which no kernel ever writes anything else to.
    """

    slots: int
    height: int
    width: int
    padded: int

    @property
    def values(self) -> int:
        """Number of values of one patch."""
        return self.slots * (self.height + 2) * (self.width + 2) * self.padded


class Scratch:
    """One buffer, of the layout last asked for."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._layout: Layout | None = None
        self._buffer = torch.empty(0, device=device)

    def get(self, count: int, layout: Layout) -> Tensor:
        """Work memory of at least `count` patches, (patches, slots, height + 2, width + 2, padded).

        Its rings and padding channels are zero, the rest is left from earlier calls.
        """
        if layout != self._layout or count > len(self._buffer):
            slots, height, width, padded = layout
            # Given back first: the old and the new buffer together may be more than the device has.
            self._buffer = torch.empty(0, device=self._device)
            self._buffer = torch.zeros(count, slots, height + 2, width + 2, padded, device=self._device)
            self._layout = layout
        return self._buffer
