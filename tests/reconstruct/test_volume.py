import math
import warnings

import pytest
import torch

from meshlearn.io.volume import Volume
from meshlearn.reconstruct.methods import EXTRACTIONS
from meshlearn.reconstruct.volume import extract_volume


def rotation(angle: float) -> torch.Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


def ball(linear: torch.Tensor, shape=(30, 26, 34), *, centre=(1.0, 2.0, 3.0), radius=0.5) -> Volume:
    """Signed distance of a ball, sampled on a lattice of axes `linear` around its centre."""
    middle = (torch.tensor(shape, dtype=torch.float64) - 1) / 2
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] = linear
    affine[:3, 3] = torch.tensor(centre, dtype=torch.float64) - linear @ middle
    index = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in shape))
    world = Volume(torch.zeros(shape, dtype=torch.float64), affine).to_world(index)
    values = (world - torch.tensor(centre, dtype=torch.float64)).norm(dim=1) - radius
    return Volume(values.reshape(shape), affine)


LINEAR = {
    "plain": torch.diag(torch.tensor([0.05, 0.06, 0.045], dtype=torch.float64)),
    "mirrored": torch.diag(torch.tensor([-0.05, 0.06, 0.045], dtype=torch.float64)),
    "rotated": rotation(0.6) @ torch.diag(torch.tensor([0.05, 0.06, 0.045], dtype=torch.float64)),
    "swapped": torch.tensor([[0, 0.06, 0], [0.05, 0, 0], [0, 0, 0.045]], dtype=torch.float64),
}


@pytest.mark.parametrize("method", EXTRACTIONS)
@pytest.mark.parametrize("name", LINEAR)
def test_a_ball_is_where_the_affine_puts_it(method, name):
    mesh = extract_volume(ball(LINEAR[name]), method=method)
    centre = torch.tensor([1.0, 2, 3], dtype=torch.float64)
    radius = (mesh.vertices - centre).norm(dim=1)
    assert mesh.dtype == torch.float64
    assert (radius - 0.5).abs().max() < (0.025 if method == "net" else 0.012)
    assert mesh.is_watertight and mesh.is_consistently_oriented
    assert float(mesh.volume()) == pytest.approx(4 / 3 * math.pi * 0.125, rel=0.03)


@pytest.mark.parametrize("method", EXTRACTIONS)
def test_above_turns_the_inside(method):
    volume = ball(LINEAR["plain"])
    inverse = Volume(-volume.values, volume.affine)
    one = extract_volume(volume, method=method, level=0.1)
    two = extract_volume(inverse, method=method, level=-0.1, above=True)
    assert torch.equal(one.vertices, two.vertices) and torch.equal(one.faces, two.faces)


def test_a_surface_that_leaves_the_volume_is_open_or_capped():
    volume = ball(LINEAR["rotated"], radius=0.9)
    cut = extract_volume(volume)
    capped = extract_volume(volume, close=True)
    assert not cut.is_watertight and capped.is_watertight
    low, high = volume.bounds()
    assert (capped.vertices >= low - 0.1).all() and (capped.vertices <= high + 0.1).all()
    full = Volume(torch.full((4, 5, 6), -1.0), volume.affine)
    box = extract_volume(full, close=True)
    assert box.is_watertight and float(box.volume()) > 0


def test_nothing_passes_the_level():
    with pytest.warns(RuntimeWarning):
        mesh = extract_volume(ball(LINEAR["plain"]), level=99.0)
    assert mesh.num_faces == 0


def test_flexicubes_keeps_the_edges_of_a_box():
    shape = (24, 24, 24)
    axes = torch.meshgrid(
        *(torch.linspace(-1, 1, n, dtype=torch.float64) for n in shape), indexing="ij"
    )
    box = torch.stack(axes).abs().amax(0) - 0.613  # its edges lie within cells
    affine = torch.diag(torch.tensor([2 / 23, 2 / 23, 2 / 23, 1], dtype=torch.float64))
    affine[:3, 3] = -1
    volume = Volume(box, affine)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = {
            m: (extract_volume(volume, method=m).volume() - 1.226**3).abs() for m in EXTRACTIONS
        }
    assert error["flexicubes"] < 0.5 * error["dmc"]


def test_unknown_method():
    with pytest.raises(
        ValueError, match="method: expected one of mc, dmc, flexicubes, net, got 'nets'"
    ):
        extract_volume(ball(LINEAR["plain"]), method="nets")


def test_a_curved_grid_is_not_fitted_by_its_indices():
    """It has no affine: a fit would lie in the space of indices."""
    from meshlearn.reconstruct import reconstruct

    straight = ball(LINEAR["plain"], (12, 12, 12))
    index = torch.cartesian_prod(*[torch.arange(12, dtype=torch.float64)] * 3)
    points = straight.to_world(index).view(12, 12, 12, 3)
    curved = Volume(straight.values, torch.eye(4, dtype=torch.float64), points=points)
    with pytest.raises(ValueError, match=r"expected samples on a straight grid.*extract"):
        reconstruct(curved, resolution=10, steps=1, progress=False)
