"""Which of several parts a patch is taken from."""

from __future__ import annotations

from regrow.core.jobs.documents import PartDocument
from regrow.worker.encode_job import _part_of_each_patch


def _part(start: int, stop: int, failed: int = 0) -> PartDocument:
    return PartDocument(
        start=start, stop=stop, patches=[[] for _ in range(start, stop)], failed=failed, patch_iterations=1, seconds=1
    )


def test_what_was_fitted_is_taken_before_what_was_given_up() -> None:
    """A batch whose worker was thought lost may be stored after its patches were tried alone, and one given up."""
    whole, alone, given_up, rest = _part(0, 3), _part(0, 1), _part(1, 2, failed=1), _part(3, 5)
    for parts in ([whole, alone, given_up, rest], [rest, given_up, alone, whole]):
        chosen = _part_of_each_patch(parts)
        assert chosen.keys() == set(range(5))
        assert chosen[1] is whole
        assert chosen[4] is rest


def test_what_was_given_up_is_taken_where_there_is_nothing_else() -> None:
    given_up = _part(0, 1, failed=1)
    assert _part_of_each_patch([given_up, _part(1, 2)])[0] is given_up
