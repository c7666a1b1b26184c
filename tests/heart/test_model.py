"""The bi-ventricular primitive, its flow and its meshes."""

from __future__ import annotations

import math

import pytest
import torch

from meshlearn.geometry import point_mesh_distance
from meshlearn.geometry.intersections import self_intersections
from meshlearn.heart.model import (
    SHEETS,
    SIZE,
    Flow,
    Primitive,
    index_of,
    part_of,
    quaternion,
    rotation,
    roughness,
    tessellation,
)
from meshlearn.heart.model.encoder import INPUTS, _moments
from meshlearn.heart.model.parameters import spline
from meshlearn.heart.model.population import (
    gaussian_prior,
    onto,
    pca_of,
    random_flow,
    sample_heart,
    sample_theta,
)
from meshlearn.heart.model.tessellator import Tessellator
from meshlearn.mesh import Mesh
from meshlearn.representations import HeartModel


def seeded(n: int) -> torch.Generator:
    return torch.Generator().manual_seed(n)


def places(n: int, seed: int = 0, dtype=torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    g = seeded(seed)
    return torch.rand(1, n, generator=g, dtype=dtype), torch.rand(1, n, generator=g, dtype=dtype)


@pytest.mark.parametrize("sheet", SHEETS)
def test_gradcheck_of_the_primitive(sheet):
    theta = (0.5 * torch.randn(1, SIZE, generator=seeded(1))).double().requires_grad_(True)
    row, column = places(6)
    row, column = 0.1 + 0.8 * row, 0.03 + 0.94 * column

    def points(value):
        return Primitive(value).sheet(sheet, row, column)

    assert torch.autograd.gradcheck(points, theta, eps=1e-6, atol=1e-4, nondet_tol=0)


def test_gradients_are_finite_where_powers_are_singular():
    theta = torch.zeros(1, SIZE, dtype=torch.float64, requires_grad=True)
    rows = torch.tensor([[0.0, 0.0, 0.5, 1.0, 1.0]], dtype=torch.float64)
    columns = torch.tensor([[0.0, 0.2, 0.2, 0.0, 0.7]], dtype=torch.float64)
    for sheet in SHEETS:
        points = Primitive(theta).sheet(sheet, rows, columns)
        (grad,) = torch.autograd.grad(points.square().sum(), theta)
        assert torch.isfinite(points).all() and torch.isfinite(grad).all(), sheet


def test_depths_are_ordered_and_the_wall_is_positive():
    """LV cavity < wall = septum <= free wall < epicardium, for hearts far from the average too."""
    theta = sample_theta(20, generator=seeded(2)).double()
    heart = Primitive(2 * theta)
    t, v = (x.expand(20, -1) for x in places(200))
    wall = heart.thickness(t, v * 2 * math.pi)
    assert wall.min() > 0
    row, column = (x.expand(20, -1) for x in places(200, 3))
    depth = {}
    for name in ("septum", "free"):
        kind = torch.full((200,), SHEETS.index(name))
        depth[name] = heart.coordinates(kind, row, column)[2]
    assert (depth["septum"] > 0).all()
    assert (depth["free"] >= depth["septum"]).all()


def test_ventricles_share_the_septum_without_a_gap():
    """The septum of the RV lies on the wall of the LV; both walls of the RV meet at its edges."""
    heart = Primitive(sample_theta(3, generator=seeded(4)).double())
    row, column = (x.expand(3, -1) for x in places(50))
    kind = torch.full((50,), SHEETS.index("septum"))
    at, v, depth = heart.coordinates(kind, row, column)
    assert torch.allclose(depth, heart.thickness(at.t, v))
    edge = torch.linspace(0, 1, 30, dtype=torch.float64).expand(3, -1)
    for side in (0.0, 1.0):
        other = torch.full_like(edge, side)
        gap = heart.sheet("free", edge, other) - heart.sheet("septum", edge, other)
        assert gap.norm(dim=-1).max() < 1e-6
    bottom = torch.zeros_like(edge)
    gap = heart.sheet("free", bottom, edge) - heart.sheet("septum", bottom, edge)
    assert gap.norm(dim=-1).max() < 1e-6


def test_gauges_are_fixed():
    """The axis has no mean offset and does not turn at the base, whatever the coefficients."""
    theta = torch.zeros(1, SIZE, dtype=torch.float64)
    base = Primitive(theta).sheet("lv", *places(40))
    for name in ("bend_x", "bend_y", "twist"):
        moved = theta.clone()
        moved[:, index_of(name)] = 3.0
        assert torch.allclose(Primitive(moved).sheet("lv", *places(40)), base), name


def test_spline_is_a_partition_of_unity():
    t = torch.linspace(0, 1.35, 50, dtype=torch.float64)[None]
    assert torch.allclose(spline(torch.ones(1, 6, dtype=torch.float64), t), torch.ones_like(t))
    assert float(roughness(torch.zeros(1, SIZE))) == 0


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("surface", ["lv", "rv", "epi", "wall", "muscle"])
def test_meshes_are_closed_or_open_as_asked(surface, closed):
    mesh = HeartModel(dtype=torch.float64).mesh(surface, rows=10, columns=25, closed=closed)
    assert mesh.is_edge_manifold and mesh.is_vertex_manifold and mesh.is_consistently_oriented
    if closed or surface == "muscle":
        assert mesh.is_watertight and float(mesh.volume().detach()) > 20_000
        assert mesh.topology.euler_number == 2
    else:
        assert len(mesh.topology.boundary_loops()) == 1


def test_volumes_add_up():
    """Epicardium = muscle + both cavities, LV and RV of an average heart in usual ranges."""
    model = HeartModel(dtype=torch.float64)
    with torch.no_grad():
        ml = {s: float(model.mesh(s).volume()) / 1000 for s in model.surfaces}
    assert abs(ml["epi"] - ml["muscle"] - ml["lv"] - ml["rv"]) < 1e-6
    assert 90 < ml["lv"] < 200 and 90 < ml["rv"] < 220
    assert 90 < 1.05 * (ml["wall"] - ml["lv"]) < 200


def test_any_density_is_the_same_surface():
    model = sample_heart(generator=seeded(5))
    with torch.no_grad():
        coarse, fine = (model.mesh("epi", rows=r, columns=c) for r, c in ((20, 50), (60, 150)))
    away = point_mesh_distance(coarse.vertices, fine).squared_distance.sqrt()
    assert away.max() < 0.6 and away.mean() < 0.06


def test_same_row_and_column_is_the_same_place():
    """Tessellations of one density correspond; moving one heart moves the same vertices."""
    a, b = (sample_heart(generator=seeded(n)).mesh("lv") for n in (6, 7))
    assert torch.equal(a.faces, b.faces)
    row, column = torch.tensor([0.3, 1.0]), torch.tensor([0.2, 0.7])
    model = HeartModel()
    rigid = HeartModel()
    turn = torch.linalg.qr(torch.randn(3, 3, generator=seeded(8)))[0]
    turn = turn * torch.linalg.det(turn)
    with torch.no_grad():
        rigid.quaternion.copy_(quaternion(turn)[None])
        rigid.centre += 5
        want = model.points("lv", row, column) @ turn.T + 5
        assert torch.allclose(rigid.points("lv", row, column), want, atol=1e-3)
        back = rigid.to_heart(rigid.to_world(want))
        assert torch.allclose(back, want, atol=1e-4)
    assert torch.allclose(rotation(quaternion(turn)[None])[0], turn, atol=1e-5)


# --- the flow ------------------------------------------------------------------------------------


def moving(seed: int = 0, size: float = 5.0) -> HeartModel:
    model = HeartModel(generator=seeded(seed)).double()
    random_flow(model, size=size, generator=seeded(seed + 100))
    return model


def test_flow_starts_as_the_identity():
    x = 40 * torch.randn(1, 50, 3, generator=seeded(0))
    y, energy = Flow(generator=seeded(1))(x)
    assert torch.allclose(x, y, atol=1e-5) and float(energy.detach()) == 0


def test_inverse_gives_the_points_back():
    model = moving()
    x = 40 * torch.randn(5000, 3, generator=seeded(1), dtype=torch.float64)
    with torch.no_grad():
        y = model.deform(x)
        assert (y - x).norm(dim=1).mean() > 2
        assert (model.deform(y, inverse=True) - x).norm(dim=1).max() < 1e-3


def least_determinant(seed: int, samples: int) -> float:
    model = moving(seed).float()
    g, least = seeded(seed), math.inf
    for _ in range(samples // 5_000):
        x = 70 * (2 * torch.rand(1, 5_000, 3, generator=g) - 1)
        with torch.no_grad():
            least = min(least, float(torch.linalg.det(model.flow.jacobian(x)).min()))
    return least


def test_jacobian_determinant_is_positive():
    assert least_determinant(0, 10_000) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_jacobian_determinant_is_positive_on_many(seed):
    assert least_determinant(seed, 100_000) > 0.05


def test_jacobian_agrees_with_differences():
    model = moving(3)
    x = torch.tensor([[[10.0, -20.0, 5.0]]], dtype=torch.float64)
    step = 1e-4
    with torch.no_grad():
        ends = [model.flow(x + step * e)[0] - model.flow(x - step * e)[0] for e in torch.eye(3)]
    want = torch.stack([e[0, 0] / (2 * step) for e in ends], 1)
    assert torch.allclose(model.flow.jacobian(x)[0], want, atol=1e-6)


def test_trace_is_the_derivative_in_the_last_layer():
    """To first order, for a small flow."""
    model = moving(4, 1e-3)
    x = 30 * torch.randn(20, 3, generator=seeded(2), dtype=torch.float64)
    features = model.flow.trace(x)
    change = 1e-4 * torch.randn(model.flow.weights[2].shape, generator=seeded(3)).double()
    with torch.no_grad():
        before = model.deform(x)
        model.flow.weights[2] += change
        after = model.deform(x)
    assert torch.allclose(after - before, 50 * features @ change, atol=2e-4, rtol=1e-2)


def test_code_of_a_flow_is_asked_for():
    flow = Flow(latent=4)
    with pytest.raises(ValueError, match="code: expected"):
        flow(torch.zeros(1, 1, 3))


# --- populations ---------------------------------------------------------------------------------


def sampled_hearts(first: int, count: int) -> None:
    """All surfaces at once, in their own density: neither through themselves nor each other."""
    for seed in range(first, first + count):
        model = sample_heart(generator=seeded(seed))
        tess = model.tessellation()
        with torch.no_grad():
            vertices = model.vertices(tess)[0]
        for surface in ("lv", "rv", "epi"):
            closed = part_of(vertices, tess, surface)
            assert closed.is_watertight and float(closed.volume()) > 5_000
        faces = torch.cat([tess.faces[n] for n in ("lv", "septum", "free", "epi")])
        hit = self_intersections(Mesh(vertices, faces)) >= 0
        assert not hit.any(), f"seed {seed}: {int(hit.sum())} faces"


def test_sampled_hearts_do_not_intersect_themselves():
    sampled_hearts(0, 12)


@pytest.mark.slow
def test_many_sampled_hearts_do_not_intersect_themselves():
    sampled_hearts(0, 200)


def test_prior_of_the_population_counts_spreads_along_its_own_axes():
    """Hearts of the population lie N from its mean on average, and to be small in all of it is
    likelier than to be as small in one radius."""
    mean, precision = gaussian_prior()
    off = sample_theta(2000, generator=seeded(5)).double() - mean
    assert abs(float(((off @ precision) * off).sum(1).mean()) / SIZE - 1) < 0.05
    whole, one = torch.zeros(2, SIZE, dtype=torch.float64)
    for name in ("length", "r1", "r2", "bulge"):
        whole[index_of(name)] = -2
    one[index_of("r1")] = -2
    assert whole @ precision @ whole < 0.5 * (one @ precision @ one)


def test_population_is_reproducible_and_varied():
    a, b = (sample_theta(300, generator=seeded(9)) for _ in range(2))
    assert torch.equal(a, b)
    heart = Primitive(a)
    lv = (3 * heart.p["r1"].mean(1)).exp()
    assert lv.std() / lv.mean() > 0.15


def test_pca_reproduces_its_meshes():
    meshes = [sample_heart(generator=seeded(n)).mesh("lv", rows=6, columns=10) for n in range(5)]
    modes = pca_of(meshes, align=False)
    assert len(modes.spread) == 4
    want = meshes[3].vertices.detach().double()
    weights = ((want - modes.mean) * modes.modes).sum((1, 2)) / modes.spread
    assert torch.allclose(modes.mesh(weights).vertices, want, atol=1e-6)
    with pytest.raises(ValueError, match="same faces"):
        pca_of([meshes[0], sample_heart(generator=seeded(1)).mesh("rv")])


def test_onto_undoes_a_similarity():
    points = torch.randn(30, 3, generator=seeded(1), dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=seeded(2), dtype=torch.float64))[0]
    turn = turn * torch.linalg.det(turn)
    other = 2.5 * points @ turn + 7
    assert torch.allclose(onto(points, other, scale=True), other)
    assert not torch.allclose(onto(points, other), other)


def test_tessellator_agrees_with_the_model():
    model = sample_heart(generator=seeded(10))
    tess = tessellation(30, 50)
    fine = Tessellator(model, rows=60, columns=150).vertices(tess)
    with torch.no_grad():
        exact = model.mesh("muscle", rows=60, columns=150)
        away = point_mesh_distance(part_of(fine, tess, "muscle").vertices, exact)
    assert away.squared_distance.sqrt().mean() < 0.05
    with pytest.raises(ValueError, match="multiple of 5"):
        Tessellator(model, columns=33)


def test_lv_alone_has_no_rv():
    model = HeartModel(rv=False)
    assert model.surfaces == ("lv", "wall", "muscle") and model.mesh("muscle").is_watertight
    with pytest.raises(ValueError, match="surface: expected one of lv, wall, muscle"):
        model.mesh("rv")


def test_forward_gives_a_mesh_and_regularisers():
    out = HeartModel()()
    assert out.mesh.is_watertight and set(out.losses) == {"energy", "prior", "rough"}
    out.mesh.volume().backward()


def test_moments_of_labels_know_neither_the_order_nor_masked_points():
    """Share, mean and covariance of the points of each label."""
    place = torch.randn(1, 40, 3, generator=seeded(1))
    points = torch.zeros(1, 40, INPUTS)
    points[..., :3] = place
    points[0, :30, 3] = points[0, 30:, 4] = 1
    mask = torch.arange(40)[None] < 36
    found = _moments(points, mask).reshape(-1, 10)
    order = torch.randperm(40, generator=seeded(2))
    assert torch.allclose(
        _moments(points[:, order], mask[:, order]).reshape(-1, 10), found, atol=1e-6
    )
    assert torch.allclose(found[0, 0], torch.tensor(30 / 36)) and (found[2:] == 0).all()
    for label, part in ((0, place[0, :30]), (1, place[0, 30:36])):
        assert torch.allclose(found[label, 1:4], part.mean(0), atol=1e-6)
        i, j = torch.triu_indices(3, 3)
        assert torch.allclose(found[label, 4:], part.T.cov(correction=0)[i, j], atol=1e-5)
