"""Light in closed form: the nine harmonics, Lambert's law, the sky over the ground."""

from __future__ import annotations

import math

import pytest
import torch

from meshlearn import Camera
from meshlearn.render import sh_basis, sh_light
from meshlearn.render.lighting import HEADLIGHT, STUDIO, Lights, lambert

CAM = Camera.look_at((0, 0, 3)).to(torch.float64)  # looks along -z, y up
WHITE = torch.ones(3, dtype=torch.float64)


def unit(*v: float) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.tensor(v, dtype=torch.float64), dim=0)


def lit(normal: torch.Tensor, lights: Lights) -> float:
    """Share of a white surface's light, the same in all colours."""
    red, green, blue = lambert(normal, WHITE, CAM, lights).tolist()
    assert red == green == blue
    return red


@pytest.mark.parametrize("seed", range(4))
def test_harmonics_are_the_real_ones_to_second_order(seed):
    n = unit(*torch.randn(3, generator=torch.Generator().manual_seed(seed)).tolist())
    x, y, z = n.tolist()
    first, second = math.sqrt(3 / math.pi) / 2, math.sqrt(15 / math.pi) / 2
    expected = [
        math.sqrt(1 / math.pi) / 2,
        first * y, first * z, first * x,
        second * x * y, second * y * z,
        math.sqrt(5 / math.pi) / 4 * (3 * z * z - 1),
        second * x * z, second / 2 * (x * x - y * y),
    ]  # fmt: skip
    torch.testing.assert_close(
        sh_basis(n), torch.tensor(expected, dtype=n.dtype), rtol=3e-6, atol=0
    )


def test_light_is_the_sum_of_the_harmonics_times_albedo():
    n, albedo = unit(0.2, -0.5, 0.8), torch.tensor([0.5, 0.25, 1.0], dtype=torch.float64)
    light = torch.arange(27, dtype=torch.float64).view(9, 3) - 9
    torch.testing.assert_close(sh_light(n, albedo, light), albedo * (sh_basis(n) @ light))


@pytest.mark.parametrize(
    ("degrees", "expected"), [(0, 1.0), (60, 0.6), (90, 0.2), (120, 0.2), (180, 0.2)]
)
def test_the_headlight_falls_off_with_the_cosine(degrees, expected):
    """0.8 of the light comes from the camera, 0.2 from everywhere."""
    a = math.radians(degrees)
    assert lit(unit(math.sin(a), 0, math.cos(a)), HEADLIGHT) == pytest.approx(expected, abs=1e-12)


def test_the_sky_is_above_and_the_ground_below():
    ambient = Lights(directions=(), intensities=(), sky=0.7, ground=0.1)
    for normal, expected in (((0, 1, 0), 0.7), ((0, -1, 0), 0.1), ((1, 0, 0), 0.4),
                             ((0, 1, math.sqrt(3)), 0.1 + 0.6 * 0.75)):  # fmt: skip
        assert lit(unit(*normal), ambient) == pytest.approx(expected, abs=1e-12)


def test_lights_move_with_the_camera_and_add_up():
    """The key light of the studio comes from the upper left in front, whatever the camera sees."""
    bare = Lights(STUDIO.directions[:1], STUDIO.intensities[:1], sky=0.0, ground=0.0)
    x, y, z = STUDIO.directions[0]
    toward = unit(x, -y, -z)  # the camera's axes: x right, y down, z forward
    assert lit(toward, bare) == pytest.approx(STUDIO.intensities[0], abs=1e-12)
    both = Lights(bare.directions * 2, bare.intensities * 2, sky=0.0, ground=0.0)
    assert lit(toward, both) == pytest.approx(2 * lit(toward, bare), abs=1e-12)
    behind = Camera.look_at((0, 0, -3)).to(torch.float64)
    turned = torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64) * toward
    assert float(lambert(turned, WHITE, behind, bare)[0]) == pytest.approx(
        STUDIO.intensities[0], abs=1e-12
    )
