"""Places as people read them: as many digits as the shape asks for, whatever its unit."""

import numpy as np
import pytest

from meshlearn.arrays.precision import place_texts
from tests.survey import UTM


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e3])
def test_neighbours_are_told_apart_in_any_unit(unit):
    box = (UTM + np.array([[0, 0, 0], [2.0, 2, 2]])) * unit
    places = (UTM + np.array([[0.5, 0.5, 0.5], [0.501, 0.501, 0.501]])) * unit
    one, other = place_texts(places, box)
    for axis in range(3):
        assert one[axis] != other[axis]
        assert abs(float(one[axis]) - places[0, axis]) < 1e-4 * 2 * unit
    assert place_texts(np.array([[0.25, 1, 2]]), np.array([[0.0, 0, 0], [1, 1, 2]])) == [
        ["0.25", "1", "2"]
    ]
