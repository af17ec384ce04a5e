"""What is held out: its share, and that it depends on the keys alone."""

import pytest

from t2t_lite.problems.held_out import MOST, SHARE, HeldOut


def _parts(examples, key=str):
    held_out = HeldOut(lambda: iter(examples), key)
    return [list(held_out.part(split)) for split in ("train", "validation")]


@pytest.mark.parametrize("count", [1, 2, 19, 39, 40, 400, 50_000])
def test_share(count):
    train, validation = _parts(range(count))
    assert len(validation) == min(MOST, max(1, count // SHARE))
    assert sorted(train + validation) == list(range(count))
    assert train == sorted(train)


def test_nothing_is_held_out_of_nothing():
    assert _parts([]) == [[], []]


def test_the_order_does_not_matter():
    forward = _parts(range(1000))
    backward = _parts(range(999, -1, -1))
    assert [set(part) for part in forward] == [set(part) for part in backward]


def test_what_is_there_twice_is_on_one_side():
    train, validation = _parts([i % 50 for i in range(400)])
    assert train
    assert validation
    assert not set(train) & set(validation)


def test_text_and_its_bytes_are_one_key():
    texts = [f"é{i}" for i in range(100)]
    assert _parts(texts) == _parts(texts, key=str.encode)
