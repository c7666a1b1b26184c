"""Loss terms of targets in closed form, and the weights, rates and stages of the loop."""

import math

import pytest
import torch

from meshlearn import Mesh
from meshlearn.data import shapes
from meshlearn.reconstruct import fit
from meshlearn.reconstruct.fitting import rate_factor, stages_of
from meshlearn.reconstruct.poisson import point_noise
from meshlearn.reconstruct.targets import FromContours, FromField, FromImages, FromMesh, FromPoints
from meshlearn.reconstruct.targets.base import surface_distance
from meshlearn.reconstruct.targets.flood import flooded
from meshlearn.render import Camera, render
from meshlearn.representations import FlexiCubes

HEIGHT, SCALE = 0.3, 0.1


def in_cells(distance: float, scale: float = SCALE) -> float:
    """A distance in cells, smoothed below a hundredth of one."""
    return math.sqrt((distance / scale) ** 2 + 1e-4)


def lifted(mesh: Mesh, height: float = HEIGHT) -> Mesh:
    return mesh.with_vertices(mesh.vertices + torch.tensor([0.0, 0.0, height]))


def flipped(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces.flip(1))


def terms(target, mesh, *, scale=SCALE, done=0.9) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    found = target.losses(mesh, scale=scale, generator=generator, done=done)
    return {name: float(value) for name, value in found.items()}


def test_distance_in_cells():
    squared = torch.tensor([0.09, 0.0])
    assert float(surface_distance(squared, 0.1)) == pytest.approx((in_cells(0.3) + 0.01) / 2)


def test_a_plane_above_a_plane():
    target = FromMesh(shapes.plane(segments=(4, 4)), samples=500)
    found = terms(target, lifted(shapes.plane(segments=(3, 3))))
    assert found["distance"] == pytest.approx(2 * in_cells(HEIGHT), rel=1e-5)
    assert found["normal"] == pytest.approx(0, abs=1e-6)
    assert "sharp" not in found and "boundary" not in found  # nothing is marked
    turned = terms(target, flipped(lifted(shapes.plane())))
    assert turned["normal"] == pytest.approx(4)  # 1 - cosine is 2, both ways


def test_boundaries_of_planes():
    target, mesh = FromMesh(shapes.plane(), samples=100), lifted(shapes.plane())
    marks = torch.zeros(mesh.num_vertices, dtype=torch.uint8)
    marks[mesh.topology.edges[mesh.topology.boundary_edges].unique()] = 1
    mesh = Mesh(mesh.vertices, mesh.faces, vertex_attributes={"boundary": marks})
    assert terms(target, mesh)["boundary"] == pytest.approx(2 * in_cells(HEIGHT), rel=1e-2)
    assert target.is_open and not FromMesh(shapes.box()).is_open


def test_sharp_edges_of_a_box_in_a_larger_one():
    box = shapes.box()
    target = FromMesh(box, samples=400)
    assert len(target._sharp) == 12  # diagonals of its sides are no edges
    wide = box.with_vertices(box.vertices * (1 + 2 * HEIGHT))
    assert terms(target, wide)["sharp"] == pytest.approx(in_cells(HEIGHT), rel=1e-5)


def test_a_plane_above_the_zero_of_a_field():
    bounds = ((-1.0, -1, -1), (1.0, 1, 1))
    target = FromField(lambda p: 3 * p[:, 2], bounds=bounds, samples=300)
    plane = shapes.plane()
    found = terms(target, lifted(plane))
    assert found["distance"] == pytest.approx(in_cells(HEIGHT), rel=1e-5)
    assert found["normal"] == pytest.approx(0, abs=1e-6)
    assert terms(target, flipped(lifted(plane)))["normal"] == pytest.approx(2)
    # beyond 4 cells first order is not trusted
    assert terms(target, lifted(plane), scale=0.05)["distance"] == pytest.approx(
        in_cells(0.2, 0.05), rel=1e-5
    )


def test_contours_have_points_at_equal_steps():
    angle = torch.tensor([[0.0, 0, 0], [3, 0, 0], [3, 1, 0]])
    places = FromContours([angle], closed=False, samples=4).points
    wanted = torch.tensor([[0.5, 0, 0], [1.5, 0, 0], [2.5, 0, 0], [3, 0.5, 0]])
    torch.testing.assert_close(places, wanted)
    closed = FromContours([angle], samples=1000)
    assert len(closed.segments) == 3 and float(closed.points[-1].norm()) < 0.01
    square = torch.tensor([[-0.4, -0.4, 0], [0.4, -0.4, 0], [0.4, 0.4, 0], [-0.4, 0.4, 0]])
    found = terms(FromContours([square], samples=200), lifted(shapes.plane()))
    assert found["contours"] == pytest.approx(in_cells(HEIGHT), rel=1e-5)
    assert found["smooth"] == pytest.approx(0, abs=1e-6)


def test_a_plane_above_points():
    line = torch.linspace(-0.5, 0.5, 11)
    points = torch.cartesian_prod(line, line, torch.zeros(1))
    normals = torch.tensor([[0.0, 0, 1]]).expand(len(points), 3)
    target = FromPoints(points, normals, samples=2000, noise=0.05)
    assert target.spacing == pytest.approx(0.1, rel=0.25)
    found = terms(target, lifted(shapes.plane()))
    soft = math.sqrt(3.0**2 + (0.25 * 0.5) ** 2 + 1e-4)  # height, and noise left, in cells
    assert found["points"] == pytest.approx(soft, rel=1e-5)
    assert found["normal"] == pytest.approx(0, abs=1e-6)
    assert terms(target, flipped(lifted(shapes.plane())))["normal"] == pytest.approx(2)
    most = math.sqrt(HEIGHT**2 + 2 * 0.05**2 - target.spacing**2) / SCALE
    assert math.sqrt(HEIGHT**2 - target.spacing**2) / SCALE < found["surface"] < most + 0.01
    assert terms(target, shapes.plane())["surface"] == pytest.approx(0.01)  # within the spacing
    # beside a point of the sheet the sides are told by its plane
    height = target.field(torch.tensor([[0.02, 0.01, 0.07], [0.02, 0.01, -0.07]]))
    torch.testing.assert_close(height, torch.tensor([0.07, -0.07]))


def test_noise_of_points_on_a_plane():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(6000, 3, generator=generator) * torch.tensor([1.0, 1.0, 0.0])
    points[:, 2] = 0.002 * torch.randn(6000, generator=generator)
    # eight points leave five degrees of freedom to a plane: the median of chi squared is 4.351 then
    assert point_noise(points) == pytest.approx(0.002 * math.sqrt(4.351 / 5), rel=0.05)


def test_a_flood_stops_at_walls():
    free = torch.ones(5, 5, 5, dtype=torch.bool)
    free[1:4, 1:4, 1:4] = False
    free[2, 2, 2] = True  # shut in
    reached = flooded(free)
    assert not reached[2, 2, 2] and int(reached.sum()) == 125 - 27
    free[1, 2, 2] = True  # a door
    assert flooded(free)[2, 2, 2]


def test_depth_counts_across_the_surface():
    plane, off = shapes.plane(size=(2.0, 2.0)), 0.05
    eyes = torch.tensor([[0.3, 0.2, 2.5], [1.4, 0.4, 2.0]])
    cams = Camera.look_at(eyes, fov=25.0)
    wanted = render(lifted(plane, off), cams, 48, channels=("mask", "depth", "normal"))
    target = FromImages(
        cams, masks=wanted["mask"], depth=wanted["depth"], normals=wanted["normal"], views=2,
        bounds=((-1.0, -1, -0.5), (1.0, 1, 0.5)),
    )  # fmt: skip
    found = terms(target, plane)
    assert found["depth"] == pytest.approx(in_cells(off), rel=1e-3)  # however slanted the view
    assert found["normal"] == pytest.approx(0, abs=1e-6)
    assert terms(target, flipped(plane))["normal"] == pytest.approx(2)
    assert terms(target, lifted(plane, off))["mask"] == pytest.approx(0, abs=1e-6)


# --- the loop -----------------------------------------------------------------------------------


def test_the_rate_warms_up_and_falls():
    factors = [rate_factor(step, 105) for step in (0, 1, 4, 5, 55, 105)]
    assert factors == pytest.approx([0.2, 0.4, 1.0, 1.0, 0.525, 0.05])


def test_each_stage_has_twice_the_steps_of_the_one_before():
    assert stages_of((8, 16, 32), 70) == [(8, 10), (16, 20), (32, 40)]
    assert stages_of((8, 16), 10) == [(8, 3), (16, 7)]
    assert stages_of(None, 5) == [(None, 5)] and stages_of(12, 5) == [(12, 5)]
    with pytest.raises(ValueError, match="resolution: expected at least one"):
        stages_of((), 5)


def test_the_loss_is_the_weighted_sum_of_its_terms():
    target = FromMesh(shapes.icosphere(2), samples=500)
    weights = {"distance": 0.7, "normal": 0.3, "dev": 0.0, "sign": 0.01}
    shape = FlexiCubes(12, bounds=target.bounds)
    history = fit(shape, target, steps=2, weights=weights, progress=False).history
    assert "dev" not in history  # without a weight it is not even kept
    for step in range(2):
        total = sum(history[name][step] * weights[name] for name in ("distance", "normal", "sign"))
        assert history["loss"][step] == pytest.approx(total, rel=1e-5)
    with pytest.raises(ValueError, match="weights: unknown term 'mask'"):
        fit(shape, target, weights={"mask": 1.0})
