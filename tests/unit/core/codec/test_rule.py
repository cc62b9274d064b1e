from __future__ import annotations

import numpy as np
import pytest

from regrow.core.codec.presets import Preset
from regrow.core.codec.rule import RuleShape, initial_weights, split, tensor_slices
from regrow.core.codec.seeds import SeedKind, make_seed
from regrow.core.errors import InvalidSettings


@pytest.mark.parametrize(("preset", "parameters"), [(Preset.SMALL, 1140), (Preset.MEDIUM, 2080), (Preset.LARGE, 2600)])
def test_presets_have_the_papers_number_of_parameters(preset: Preset, parameters: int) -> None:
    """Table I: n_p = h_s (4 n_c + 1)."""
    shape = preset.shape()
    assert shape.parameters == shape.hidden * (4 * shape.channels + 1) == parameters
    assert sum(part.stop - part.start for part in tensor_slices(shape)) == parameters


def test_split_gives_views_of_every_weight() -> None:
    shape = RuleShape(5, 7)
    weights = np.zeros((2, shape.parameters), dtype=np.float32)
    for number, tensor in enumerate(split(weights, shape), start=1):
        tensor += number
    assert set(np.unique(weights)) == {1, 2, 3}


@pytest.mark.parametrize(
    ("channels", "hidden", "visible"), [(3, 8, 3), (16, 0, 3), (16, 8, 2), (65, 8, 3), (16, 257, 3)]
)
def test_impossible_shapes_are_refused(channels: int, hidden: int, visible: int) -> None:
    with pytest.raises(InvalidSettings):
        RuleShape(channels, hidden, visible)


def test_initial_weights_do_not_depend_on_the_batch() -> None:
    shape = RuleShape(6, 4)
    alone = initial_weights(shape, [np.random.default_rng(7)])
    among = initial_weights(shape, [np.random.default_rng(3), np.random.default_rng(7)])
    np.testing.assert_array_equal(alone[0], among[1])


def test_pixel_seed_is_one_cell_of_hidden_channels() -> None:
    shape = RuleShape(6, 4, visible=4)
    seed = make_seed(SeedKind.PIXEL, shape, 9)
    assert seed.sum() == 2
    assert (seed[4:, 4, 4] == 1).all()


def test_scaffold_seed_tells_every_cell_where_it_is() -> None:
    shape = RuleShape(14, 4)
    seed = make_seed(SeedKind.SCAFFOLD, shape, 40)
    assert not seed[:3].any()
    places = seed[3:].reshape(11, -1).T
    assert len(np.unique(places.round(4), axis=0)) == 1600
    np.testing.assert_allclose(seed[3, 7], np.sin(np.pi * (np.arange(40) + 0.5) / 40), rtol=1e-6)
    np.testing.assert_allclose(seed[4], seed[3].T)
    wide = make_seed(SeedKind.SCAFFOLD, RuleShape(30, 4), 40)
    assert not wide[15:].any()


def test_a_seed_does_not_depend_on_hidden_size() -> None:
    for kind in SeedKind:
        assert np.array_equal(make_seed(kind, RuleShape(14, 4), 9), make_seed(kind, RuleShape(14, 99), 9))
