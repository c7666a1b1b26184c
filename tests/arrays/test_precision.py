"""What single precision costs coordinates."""

import numpy as np
import pytest

from meshlearn.arrays.precision import box_of, fallen_together, is_far, middle_of, rounding


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_far_is_counted_in_sizes_not_in_units(unit):
    box = unit * np.array([[0.0, 0, 0], [1, 2, 3]])
    assert not is_far(box) and not is_far(box + 10 * unit) and is_far(box + 100 * unit)
    assert not is_far(None) and not is_far(np.ones((2, 3)))  # a point has no size to compare with


def test_boxes_leave_out_what_is_not_finite():
    points = np.array([[1.0, 2, 3], [np.nan, 0, 0], [2, 3, 5], [0, np.inf, 0]])
    np.testing.assert_array_equal(box_of(points), [[1, 2, 3], [2, 3, 5]])
    assert box_of(np.full((2, 3), np.nan)) is None and box_of(np.zeros((0, 3))) is None


def test_the_rounding_is_the_largest_and_counts_what_falls_together():
    # float32 steps by 1/2 between 2**22 and 2**23
    x = 2.0**22 + np.array([0.0, 0.125, 0.25, 1.0, 1.0])
    points = np.stack([x, np.zeros(5), np.zeros(5)], 1)
    found = rounding(points)
    assert found == (2, 0.25, 2)  # 0.125 and 0.25 become 0; the two at 1.0 were one already
    assert rounding(points.astype(np.float32)) == (0, 0, 0)
    assert rounding(points, middle_of(box_of(points))) == (0, 0, 0)


def test_what_is_not_finite_has_no_rounding_and_what_overflows_has_an_infinite_one():
    points = np.array([[np.nan, 0.5, 0], [np.inf, 0, 0]])
    assert rounding(points) == (0, 0, 0)
    points[1, 1] = 1e300
    assert rounding(points) == (1, np.inf, 0)


def counted(points):
    """How many rows fall on others, by sets of rows."""
    rows = [tuple(row) for row in (points + 0.0).tolist() if not np.isnan(row).any()]
    with np.errstate(over="ignore"):
        held = {tuple(np.array(row, np.float32).tolist()) for row in rows}
    return len(set(rows)) - len(held)


@pytest.mark.parametrize("step", [1e-9, 3e-8, 1e-6, 1e-3])
def test_points_that_fall_together_are_those_that_sets_of_rows_say(step):
    rng = np.random.default_rng(round(1 / step))
    points = 1 + step * rng.integers(-20, 20, (700, 3))
    points[::7] *= -1
    points[5::50] = np.nan
    points[[3, 9]] = [[0.0, -0.0, 0.0], [-0.0, 0.0, 0.0]]
    points[[11, 13, 17]] = [[1e300, 0, 0], [2e300, 0, 0], [-np.inf, 0, 0]]
    assert fallen_together(points) == counted(points)
    assert fallen_together(points[::2]) == counted(points[::2])  # rows that do not lie close
    with np.errstate(over="ignore"):
        held = points.astype(np.float32)
    assert fallen_together(points, held) == counted(points)


def test_rows_that_are_equal_as_doubles_do_not_fall_together():
    points = np.repeat(np.random.default_rng(0).random((300, 3)), 3, axis=0)
    assert fallen_together(points) == 0
    points[-1] += 1e-12
    assert fallen_together(points) == 1
    assert fallen_together(np.zeros((0, 3))) == 0
