import numpy as np
import pytest

from t2t_lite.trainer.feeding import Feed, rows_of_part


class _Numbered:
    """Batches that are their own numbers."""

    def batch(self, number):
        return number


def test_updates_take_their_batches_in_order_and_jump():
    feed = Feed(_Numbered(), 3)
    assert list(feed.ahead(2, 4)) == [
        (2, [3, 4, 5]),
        (3, [6, 7, 8]),
        (4, [9, 10, 11]),
    ]
    feed.jumped = 2
    assert feed.first_batch(1) == 6
    assert feed.of(1) == [6, 7, 8]
    assert list(feed.ahead(5, 4)) == []


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 7, 9])
def test_parts_hold_every_row_once_and_are_alike(parts):
    rows = np.arange(1, 15, dtype=np.int32).reshape(7, 2)
    found = [rows_of_part(rows, i, parts) for i in range(parts)]
    assert len({part.shape for part in found}) == 1
    joined = np.concatenate(found)
    np.testing.assert_array_equal(joined[joined.any(axis=1)], rows)
