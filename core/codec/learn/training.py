"""The learning loop: crops, steps of Adam, a moving average, and what held-out photos say of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from regrow.core.codec.learn.network import Grown, SeedsNetwork
from regrow.core.codec.learn.photos import Photo, crop
from regrow.core.codec.learn.shape import ModelShape

Rng = np.random.Generator

RATE_PER_ERROR = 13.0
"""β of the loss, bits a pixel + β · MSE / step²: close to where an equal step for all seeds is worth its bits."""

HELD_OUT_STEPS = (-5.0, -4.0, -3.0, -2.0)
HELD_OUT_SIDE, HELD_OUT_CROPS = 64, 64


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """iterations: in all. learning_rate: its peak; warm-up over `warm_up` iterations, and a straight line to zero over
    the last `cool_down` share. average: decay of the moving average of weights, which is what is shipped. seed: of all
    random numbers."""

    iterations: int = 20_000
    learning_rate: float = 2e-3
    warm_up: int = 200
    cool_down: float = 0.3
    average: float = 0.998
    seed: int = 0

    @property
    def trunk(self) -> int:
        """Iterations before the learning rate begins to fall: from there a longer run can go on."""
        return int(self.iterations * (1 - self.cool_down))

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration, counted from 0."""
        warm = min(1.0, (iteration + 1) / self.warm_up)
        left = (self.iterations - iteration) / max(1, self.iterations - self.trunk)
        return self.learning_rate * min(warm, left)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of batch: its crops' side, their number, the levels they are split into and how often each."""

    side: int
    count: int
    levels: tuple[int, ...]
    shares: tuple[float, ...]


KINDS = (
    Kind(64, 8, (1, 2, 3, 4), (0.05, 0.1, 0.5, 0.35)),
    Kind(40, 16, (0, 2, 3), (0.05, 0.1, 0.85)),
    Kind(128, 2, (3, 4, 5), (0.1, 0.5, 0.4)),
)
KIND_SHARES = (0.65, 0.15, 0.2)


@dataclass(frozen=True, slots=True)
class Batch:
    """pictures: (G, 3, side, side) in [0, 1]. log_step: (G,), log2 of the quantisation step sizes."""

    pictures: Tensor
    log_step: Tensor
    levels: int
    rounding: float


def draw(photos: Sequence[Photo], settings: TrainSettings, iteration: int) -> Batch:
    """The batch of an iteration, which depends on nothing else."""
    rng = np.random.default_rng([settings.seed, iteration])
    kind = KINDS[rng.choice(len(KINDS), p=KIND_SHARES)]
    pictures = np.stack([_picture(photos, kind.side, rng) for _ in range(kind.count)])
    levels = int(rng.choice(kind.levels, p=kind.shares))
    return Batch(
        torch.from_numpy(pictures),
        torch.tensor([_log_step(rng) for _ in range(kind.count)], dtype=torch.float32),
        levels,
        float(rng.uniform(0.33, 0.5)),
    )


def _picture(photos: Sequence[Photo], side: int, rng: Rng) -> np.ndarray:
    picture = crop(photos[int(rng.integers(len(photos)))], side, rng)
    if rng.random() < 0.05:
        picture = np.repeat(picture.mean(axis=0, keepdims=True), 3, axis=0)
    return picture


def _log_step(rng: Rng) -> float:
    """Mostly what people ask for; sometimes as good, or as small, as can be."""
    kind = rng.random()
    if kind < 0.85:
        return rng.uniform(-5.5, -1.5)
    return rng.uniform(-8.0, -5.5) if kind < 0.93 else rng.uniform(-1.5, -0.5)


def loss_of(grown: Grown, batch: Batch) -> Tensor:
    """Bits a pixel and the error, of each picture; (G,)."""
    square = torch.exp2(2 * batch.log_step)
    error = (grown.picture - batch.pictures).square().flatten(1).mean(1)
    pixels = batch.pictures.shape[-1] * batch.pictures.shape[-2]
    return grown.bits / pixels + RATE_PER_ERROR / square * error


def weighed(losses: Tensor, batch: Batch) -> Tensor:
    """One number of a batch, to which all rates contribute alike; ()."""
    return (losses * (torch.exp2(2 * batch.log_step) / 0.01) ** 0.25).mean()


class Learner:
    """A network that learns. `average` holds the moving average of its weights."""

    def __init__(self, shape: ModelShape, settings: TrainSettings, photos: Sequence[Photo], device: str = "cpu"):
        torch.manual_seed(settings.seed)
        self.settings, self.photos, self.device = settings, photos, device
        self.network = SeedsNetwork(shape).to(device)
        self.average = SeedsNetwork(shape).to(device)
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98))
        self.iteration = 0

    def step(self) -> float:
        """One iteration; its loss."""
        batch = draw(self.photos, self.settings, self.iteration)
        batch = Batch(batch.pictures.to(self.device), batch.log_step.to(self.device), batch.levels, batch.rounding)
        seeds = self.network.quantise(batch.pictures, batch.log_step, batch.levels, batch.rounding)
        loss = weighed(loss_of(self.network(seeds, batch.log_step), batch), batch)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(self.iteration)
        self.optimizer.step()
        self.iteration += 1
        self._follow()
        return float(loss.detach())

    def _follow(self) -> None:
        """The average follows the network; faster at first."""
        decay = min(self.settings.average, self.iteration / (self.iteration + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the average makes of held-out crops. loss: as in training. bits: a pixel, at each of HELD_OUT_STEPS;
    psnr: dB at each, of the mean error."""

    iteration: int
    loss: float
    bits: tuple[float, ...]
    psnr: tuple[float, ...]


def judge(learner: Learner, photos: Sequence[Photo]) -> Judgement:
    """The moving average on crops of photos that were not learned from; always the same crops."""
    rng = np.random.default_rng(0)
    crops = np.stack([crop(photos[i % len(photos)], HELD_OUT_SIDE, rng) for i in range(HELD_OUT_CROPS)])
    pictures = torch.from_numpy(crops).to(learner.device)
    losses, bits, psnr = [], [], []
    for exponent in HELD_OUT_STEPS:
        log_step = torch.full((len(pictures),), exponent, device=learner.device)
        batch = Batch(pictures, log_step, 3, 0.4)
        with torch.no_grad():
            seeds = learner.average.quantise(pictures, log_step, batch.levels, batch.rounding)
            grown = learner.average(seeds, log_step)
        losses.append(float(weighed(loss_of(grown, batch), batch)))
        bits.append(float(grown.bits.mean()) / HELD_OUT_SIDE**2)
        error = float((grown.picture.clamp(0, 1) - pictures).square().mean())
        psnr.append(-10 * math.log10(error))
    return Judgement(learner.iteration, float(np.mean(losses)), tuple(bits), tuple(psnr))
