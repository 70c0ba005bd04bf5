"""Pictures in one array: who gets which place, and when they can be taken together."""

from __future__ import annotations

import numpy as np
import pytest
from drawthings.dt_core.pictures.stack import Stack, joined


def filled(room: Stack, *sizes: tuple[int, int]) -> list[np.ndarray]:
    places = [room.reserve() for _ in sizes]
    pictures = [place(*size) for place, size in zip(places, sizes, strict=True)]
    for number, picture in enumerate(pictures):
        picture[:] = number
    return pictures


def test_pictures_of_one_size_are_one_array_without_a_copy() -> None:
    pictures = filled(Stack(3), (4, 6), (4, 6), (4, 6))
    whole = joined(pictures)
    assert whole is not None
    assert whole.shape == (3, 4, 6, 3)
    assert whole[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert all(np.shares_memory(whole, picture) for picture in pictures)


def test_places_that_are_filled_in_another_order_keep_their_own() -> None:
    room = Stack(2)
    first, second = room.reserve(), room.reserve()
    later = second(4, 6)
    earlier = first(4, 6)
    earlier[:], later[:] = 1, 2
    whole = joined([earlier, later])
    assert whole is not None
    assert whole[:, 0, 0, 0].tolist() == [1, 2]
    assert joined([later, earlier]) is None


def test_fewer_pictures_than_expected_are_a_part_of_the_array() -> None:
    pictures = filled(Stack(257), (4, 6), (4, 6))
    whole = joined(pictures)
    assert whole is not None
    assert len(whole) == 2
    assert joined(pictures[1:]) is not None


@pytest.mark.parametrize("sizes", [[(4, 6), (6, 4)], [(4, 6), (4, 8)], [(4, 6)] * 3])
def test_another_size_and_one_too_many_stand_alone(sizes: list[tuple[int, int]]) -> None:
    pictures = filled(Stack(2), *sizes)
    assert [picture.shape[:2] for picture in pictures] == sizes
    assert [picture[0, 0, 0] for picture in pictures] == list(range(len(sizes)))
    assert joined(pictures) is None


def test_what_is_no_whole_place_is_not_joined() -> None:
    pictures = filled(Stack(2), (4, 6), (4, 6))
    assert joined([picture[:2] for picture in pictures]) is None
    assert joined([picture.copy() for picture in pictures]) is None
    assert joined([pictures[0], pictures[0]]) is None


def test_where_there_is_no_memory_for_all_there_may_be_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = np.empty

    def small(shape: tuple[int, ...], dtype: type) -> np.ndarray:
        if shape[0] > 100:
            raise MemoryError
        return real(shape, dtype)

    monkeypatch.setattr(np, "empty", small)
    pictures = filled(Stack(257), (4, 6), (4, 6))
    assert [picture[0, 0, 0] for picture in pictures] == [0, 1]
