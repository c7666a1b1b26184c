"""What FlexiCubes does beyond the operators: QEF, tetrahedra, optimisation, bad input."""

import pytest
import torch

from meshlearn.geometry import MeshBVH
from meshlearn.isosurface import VoxelGrid, dual_marching_cubes, flexicubes, marching_cubes
from meshlearn.isosurface.checks import warn_if_inverted
from meshlearn.isosurface.constants import LEAST_QUALITY
from meshlearn.mesh import TetMesh

from .fields import noise_grid, random_parameters, sphere, topology_defect, torus


def cube_field(points, half=0.5):
    q = points.abs() - half
    return q.clamp(min=0).norm(dim=1) + q.amax(1).clamp(max=0)


def cube_gradient(points, half=0.5):
    q = points.abs() - half
    main = torch.zeros_like(q).scatter(1, q.argmax(1, keepdim=True), 1.0)
    return main * points.sign()


def turned(degrees=(20.0, 35.0)):
    a, b = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    one = torch.ones((), dtype=torch.float64)
    z = torch.stack([a.cos(), -a.sin(), one * 0, a.sin(), a.cos(), one * 0, one * 0, one * 0, one])
    x = torch.stack([one, one * 0, one * 0, one * 0, b.cos(), -b.sin(), one * 0, b.sin(), b.cos()])
    return z.view(3, 3) @ x.view(3, 3)


def test_qef_keeps_the_edges_of_a_turned_cube():
    rotation = turned()
    grid = VoxelGrid(20, dtype=torch.float64)
    local = grid.vertices @ rotation
    sdf = cube_field(local)

    def gradient(points):
        return cube_gradient(points @ rotation) @ rotation.T

    plain = dual_marching_cubes(grid, sdf)
    sharp = dual_marching_cubes(grid, sdf, gradient=gradient)
    corners = torch.tensor(
        [[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]
    )
    corners = corners.double() @ rotation.T

    def corner_error(mesh):
        return float(torch.cdist(corners, mesh.vertices).amin(1).max())

    assert corner_error(sharp) < 0.3 * corner_error(plain)
    assert abs(float(sharp.volume()) - 1) < 0.2 * abs(float(plain.volume()) - 1)
    assert not topology_defect(sharp.num_vertices, sharp.faces)


def test_qef_stays_in_the_cell_for_wild_gradients():
    grid, sdf = noise_grid(7, 8, 10)
    generator = torch.Generator().manual_seed(0)
    wild = torch.randn(grid.num_vertices, 3, generator=generator, dtype=torch.float64)
    plain = dual_marching_cubes(grid, sdf)
    mesh = dual_marching_cubes(grid, sdf, gradient=wild)
    step = torch.tensor(grid.spacing, dtype=torch.float64)
    low = torch.tensor(grid.bounds[0], dtype=torch.float64)
    cell = ((plain.vertices - low) / step).floor()
    inside = (mesh.vertices - low) / step - cell
    assert bool((inside > -1e-9).all()) and bool((inside < 1 + 1e-9).all())
    assert not topology_defect(mesh.num_vertices, mesh.faces)


def boundary_faces(tets):
    sides = torch.cat(
        [tets[:, [1, 2, 3]], tets[:, [0, 3, 2]], tets[:, [0, 1, 3]], tets[:, [0, 2, 1]]]
    )
    ordered = sides.sort(1).values
    _, inverse, count = torch.unique(ordered, dim=0, return_inverse=True, return_counts=True)
    assert int(count.max()) <= 2
    return sides[count[inverse] == 1]


def tet_volumes(points, tets):
    a = points[tets[:, 0]]
    edges = points[tets[:, 1:]] - a[:, None]
    return torch.linalg.det(edges) / 6


@pytest.mark.parametrize("training", [True, False])
def test_tetrahedra_have_the_surface_as_boundary(training):
    for seed in range(6):
        grid, sdf = noise_grid(seed, 4, 9)
        out = flexicubes(grid, sdf, training=training, tets=True, **random_parameters(grid, seed))
        boundary = boundary_faces(out.tets.tets)
        mine = {tuple(f) for f in boundary.sort(1).values.tolist()}
        assert mine == {tuple(f) for f in out.mesh.faces.sort(1).values.tolist()}
        assert torch.equal(out.tets.vertices[: out.mesh.num_vertices], out.mesh.vertices)
        volumes = tet_volumes(out.tets.vertices, out.tets.tets)
        assert float(volumes.min()) > 0
        assert float(out.tets.quality().min()) >= LEAST_QUALITY
        assert torch.allclose(volumes.sum(), out.mesh.volume())


@pytest.mark.parametrize("field", [sphere, torus])
@pytest.mark.parametrize("training", [True, False])
def test_tetrahedra_are_positive_with_unit_weights(field, training):
    grid = VoxelGrid(24, dtype=torch.float64)
    out = flexicubes(grid, field(grid.vertices), training=training, tets=True)
    assert float(tet_volumes(out.tets.vertices, out.tets.tets).min()) > 0


def test_tetrahedra_of_noise_are_positive():
    """A dual quad may fold there beyond the vertex that it is coned to."""
    grid, sdf = noise_grid(1, 16, 16)
    plain = flexicubes(grid, sdf).mesh
    out = flexicubes(grid, sdf, tets=True)
    assert float(out.tets.quality().min()) >= LEAST_QUALITY
    assert torch.equal(out.mesh.vertices, out.tets.vertices[: out.mesh.num_vertices])
    moved = (out.mesh.vertices - plain.vertices).norm(dim=1) / max(grid.spacing)
    assert float(moved.max()) < 0.1 and int((moved > 1e-9).sum()) < 0.01 * len(moved)


@pytest.mark.parametrize("training", [True, False])
def test_tetrahedra_leave_a_surface_that_allows_them_alone(training):
    grid = VoxelGrid(16)
    weights = random_parameters(grid, 0)
    sdf = sphere(grid.vertices)
    out = flexicubes(grid, sdf, training=training, tets=True, **weights)
    plain = flexicubes(grid, sdf, training=training, **weights).mesh
    assert float((out.mesh.vertices - plain.vertices).abs().max()) < 1e-6
    assert float(out.tets.quality().min()) >= LEAST_QUALITY


def test_a_surface_that_hides_its_triangles_moves_within_itself():
    """No place of the inner points will do here: vertices slide, the surface stays."""
    grid = VoxelGrid(16)
    weights = random_parameters(grid, 2)
    sdf = sphere(grid.vertices)
    plain = flexicubes(grid, sdf, **weights).mesh
    out = flexicubes(grid, sdf, tets=True, **weights)
    cell = max(grid.spacing)
    assert float(out.tets.quality().min()) >= LEAST_QUALITY
    moved = (out.mesh.vertices - plain.vertices).norm(dim=1) / cell
    assert 0.05 < float(moved.max()) < 0.3 and int((moved > 1e-5).sum()) < 0.1 * len(moved)
    away = MeshBVH(plain).closest(out.mesh.vertices).squared_distance.sqrt() / cell
    assert float(away.max()) < 0.02
    assert float(out.mesh.volume()) == pytest.approx(float(plain.volume()), rel=1e-3)
    assert float(out.tets.volume()) == pytest.approx(float(out.mesh.volume()), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tetrahedra_are_the_same_on_any_number_of_threads(dtype):
    grid, sdf = noise_grid(2, 4, 9, dtype)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                found.append(flexicubes(grid, sdf, tets=True, **random_parameters(grid, 2)))
    finally:
        torch.set_num_threads(before)
    a, b = (out.tets.vertices for out in found)
    assert torch.equal(a, b)
    assert float(found[0].tets.quality().min()) > 0.5 * LEAST_QUALITY


def test_gradients_pass_the_tetrahedra_that_were_turned():
    grid, sdf = noise_grid(1, 6, 6)
    grads = []
    for filled in (True, False):
        values = sdf.clone().requires_grad_()
        out = flexicubes(grid, values, tets=filled)
        points = out.tets.vertices[: out.mesh.num_vertices] if filled else out.mesh.vertices
        points.sum().backward()
        grads.append(values.grad)
    assert torch.allclose(*grads)


def test_tetrahedra_that_stay_inverted_are_told():
    corner = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.warns(RuntimeWarning, match=r"1 of 2 tetrahedra .* one at \(0.25, 0.25, 0.25\)"):
        warn_if_inverted(TetMesh(corner, torch.tensor([[0, 1, 2, 3], [0, 2, 1, 3]])))


def test_deform_stays_under_half_a_cell():
    grid = VoxelGrid(8, dtype=torch.float64)
    sdf = sphere(grid.vertices)
    far = torch.full((grid.num_vertices, 3), 1e3, dtype=torch.float64)
    moved = marching_cubes(grid, sdf, deform=far).vertices - marching_cubes(grid, sdf).vertices
    assert float(moved.max()) < 0.125 and float(moved.min()) > 0.1249


def test_optimisation_turns_a_sphere_into_a_cube():
    grid = VoxelGrid(14, dtype=torch.float64)
    sdf = sphere(grid.vertices, 0.55).requires_grad_()
    weights = {k: (v * 0).requires_grad_() for k, v in random_parameters(grid).items()}
    optimizer = torch.optim.Adam([sdf, *weights.values()], lr=0.01)
    losses = []
    for _ in range(60):
        out = flexicubes(grid, sdf, training=True, **weights)
        loss = cube_field(out.mesh.vertices).square().mean() + 1e-3 * out.dev_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]
    mesh = flexicubes(grid, sdf.detach(), **{k: v.detach() for k, v in weights.items()}).mesh
    assert not topology_defect(mesh.num_vertices, mesh.faces)


def test_training_center_is_smooth_in_gamma_and_final_split_follows_it():
    grid = VoxelGrid(6, dtype=torch.float64)
    sdf = sphere(grid.vertices)
    low = flexicubes(
        grid, sdf, training=True, gamma=torch.zeros(grid.num_cells, dtype=torch.float64)
    )
    assert low.mesh.num_faces == 2 * flexicubes(grid, sdf).mesh.num_faces


BAD = [
    (lambda g, s: marching_cubes("grid", s), "grid: expected a VoxelGrid, got str"),
    (lambda g, s: marching_cubes(g, s[:-1]), r"sdf: expected shape \(125,\), got \(124,\)"),
    (lambda g, s: marching_cubes(g, s.double()), "sdf: expected dtype float32, got float64"),
    (lambda g, s: marching_cubes(g, s.numpy()), "sdf: expected a torch.Tensor, got ndarray"),
    (lambda g, s: marching_cubes(g, s.to("meta")), "sdf: expected on cpu"),
    (lambda g, s: marching_cubes(g, s * float("nan")), "sdf: 125 of 125 values are NaN"),
    (lambda g, s: flexicubes(g, s / 0), "sdf: .* values are NaN or infinite"),
    (lambda g, s: marching_cubes(g, s, level=float("nan")), "level: expected a finite number"),
    (lambda g, s: flexicubes(g, s, alpha=torch.zeros(64, 7)), r"alpha: expected shape \(64, 8\)"),
    (lambda g, s: flexicubes(g, s, beta=torch.zeros(8, 12)), r"beta: expected shape \(64, 12\)"),
    (lambda g, s: flexicubes(g, s, gamma=torch.zeros(3)), r"gamma: expected shape \(64,\)"),
    (
        lambda g, s: flexicubes(g, s, deform=torch.zeros(64, 3)),
        r"deform: expected shape \(125, 3\)",
    ),
    (lambda g, s: flexicubes(g, s, gradient=torch.zeros(5, 3)), "gradient: expected shape"),
    (lambda g, s: flexicubes(g, s, gradient=torch.zeros(125, 3), tets=True), "leave one out"),
    (lambda g, s: VoxelGrid(0), "resolution: expected one or three whole numbers"),
    (lambda g, s: VoxelGrid((4, 4)), "resolution: expected one or three whole numbers"),
    (lambda g, s: VoxelGrid(4, bounds=((1, 1, 1), (0, 2, 2))), "lower < upper"),
    (lambda g, s: VoxelGrid(4, dtype=torch.float16), "dtype: expected torch.float32"),
    (lambda g, s: VoxelGrid(100_000), "needs about .* GiB"),
]


@pytest.mark.parametrize("call,message", BAD)
def test_bad_input_is_one_sentence(call, message):
    grid = VoxelGrid(4)
    with pytest.raises(ValueError, match=message) as caught:
        call(grid, sphere(grid.vertices))
    assert "\n" not in str(caught.value)
