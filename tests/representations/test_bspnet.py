"""BSP-Net: fields and losses against plain transcriptions, meshes, direct fit, bad input."""

import pytest
import torch

import meshlearn as ml
from meshlearn.convex import contains, union_convexes
from meshlearn.data import shapes
from meshlearn.representations import BSPNet
from meshlearn.representations.bspnet import (
    ImplicitAutoencoder,
    convex_distances,
    cover,
    fields,
    fit_shape,
    phase_losses,
    surface_planes,
)
from meshlearn.representations.bspnet.cover import _drawn
from meshlearn.representations.bspnet.shape import ShapeSamples


def small(**options) -> BSPNet:
    generator = torch.Generator().manual_seed(0)
    options = {"code": 16, "hidden": (32, 32), "width": 4, "resolution": 16, **options}
    return BSPNet(40, 6, generator=generator, **options)


def problem(dtype=torch.float64, b=2, n=50, p=30, c=5):
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(b, n, 3, generator=generator, dtype=dtype) - 0.5
    planes = torch.randn(b, p, 4, generator=generator, dtype=dtype)
    connection = torch.randn(p, c, generator=generator, dtype=dtype)
    return points, planes, connection


def plain(points, planes, connection):
    """The equations as they stand."""
    ones = torch.ones_like(points[..., :1])
    d = torch.cat([points, ones], -1) @ planes.transpose(1, 2)
    return torch.relu(d) @ connection


def check_same(mine, theirs, leaves, others):
    """Values, and gradients of their leaves."""
    assert torch.allclose(mine, theirs, atol=1e-12)
    w = torch.randn(mine.shape, generator=torch.Generator().manual_seed(0), dtype=mine.dtype)
    (mine * w).sum().backward()
    (theirs * w).sum().backward()
    for a, b in zip(leaves, others, strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-10)


def test_distances_equal_the_equations(monkeypatch):
    monkeypatch.setattr(fields, "CHUNK", 30 * 7)  # several slices
    points, planes, connection = problem()
    leaves = [t.clone().requires_grad_() for t in (points, planes, connection)]
    others = [t.clone().requires_grad_() for t in (points, planes, connection)]
    mine, theirs = convex_distances(*leaves), plain(*others)
    check_same(mine, theirs, leaves, others)


def test_distances_gradcheck():
    points, planes, connection = problem(b=1, n=6, p=5, c=3)
    inputs = [t.requires_grad_() for t in (points, planes, connection)]
    assert torch.autograd.gradcheck(convex_distances, inputs)


def test_a_held_connection_of_few_entries_gives_the_same(monkeypatch):
    """T of 0 and 1, and of few real entries; a convex without one; against all of T."""
    monkeypatch.setattr(fields, "CHUNK", 30 * 7)
    points, planes, _ = problem()
    for value in (1.0, 0.3):
        connection = torch.zeros(30, 5, dtype=points.dtype)
        connection[torch.arange(28), torch.arange(28) % 4] = value
        assert fields._few_rows(planes, connection) is not None
        leaves = [t.clone().requires_grad_() for t in (points, planes)]
        others = [t.clone().requires_grad_() for t in (points, planes)]
        mine, theirs = convex_distances(*leaves, connection), plain(*others, connection)
        check_same(mine, theirs, leaves, others)
    connection[0, 0] = -1.0  # max(D, 0) T is not max(D T, 0) then
    assert fields._few_rows(planes, connection) is None
    assert torch.allclose(
        convex_distances(points, planes, connection), plain(points, planes, connection), atol=1e-12
    )


def test_distances_keep_their_precision_under_autocast():
    points, planes, connection = problem(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = convex_distances(points, planes.bfloat16().float(), connection)
    assert found.dtype == torch.float32
    assert torch.allclose(found, plain(points, planes.bfloat16().float(), connection), atol=1e-5)


def test_phases_equal_the_equations():
    generator = torch.Generator().manual_seed(2)
    h2 = torch.rand(2, 40, 5, generator=generator).square() * 2 - 0.02
    h2 = h2.clamp(min=0)
    inside = (torch.rand(2, 40, generator=generator) < 0.5).float()
    t = torch.randn(7, 5, generator=generator)
    w = torch.randn(5, generator=generator) + 1
    terms = [phase_losses(h2, inside, t, w, k) for k in range(5)]
    soft = ((1 - h2).clamp(0, 1) * w).sum(2).clamp(0, 1)
    assert terms[0]["occupancy"] == pytest.approx(float((inside - soft).square().mean()))
    assert terms[0]["weights"] == pytest.approx(float((w - 1).abs().sum()))
    excess = sum(max(v - 1, 0) - min(v, 0) for v in t.reshape(-1).tolist())
    assert terms[0]["connection"] == pytest.approx(excess, rel=1e-5)
    least = h2.amin(2)
    hard = ((1 - inside) * (1 - least.clamp(max=1)) + inside * least.clamp(min=0)).mean()
    for k in (1, 2, 3, 4):
        assert terms[k]["occupancy"] == pytest.approx(float(hard))
    small_ = t[t < 0.01].abs().sum() + (t[t >= 0.01] - 1).abs().sum()
    assert terms[3]["connection"] == terms[4]["connection"] == pytest.approx(float(small_))
    total = 0.0
    for b in range(2):
        for n in range(40):
            held = [float(v) for v in h2[b, n] if v < 0.01]
            total -= sum(held) * float(inside[b, n]) if len(held) > 1 else 0.0
    assert terms[2]["overlap"] == terms[4]["overlap"] == pytest.approx(total / h2.numel())
    assert total < 0
    assert set(terms[1]) == {"occupancy"}


def test_the_soft_union_never_loses_its_gradient():
    """Where nothing reaches a point of the shape, and where convexes add up to more than 1."""
    weights = torch.ones(3)
    h2 = torch.tensor([[[5.0, 2.0, 9.0], [0.4, 0.4, 3.0], [0.2, 0.4, 3.0]]], requires_grad=True)
    inside = torch.tensor([[1.0, 1.0, 0.0]])
    union = fields.soft_union(h2, weights)
    assert union.tolist() == [[0.0, 1.0, 1.0]]
    (inside - union).square().mean().backward()
    pull = h2.grad[0]
    assert pull[0, 1] > 0 and pull[0, 0] == pull[0, 2] == 0  # the nearest one comes
    assert pull[1].abs().sum() == 0  # nothing is wrong there
    assert pull[2, 0] < 0 and pull[2, 1] < 0 and pull[2, 2] == 0  # those that hold it leave


def test_negative_distances_of_a_soft_t_are_no_gain():
    h2 = torch.tensor([[[-50.0, 3.0]]], requires_grad=True)
    term = phase_losses(h2, torch.ones(1, 1), torch.zeros(1, 2), torch.ones(2), 3)["occupancy"]
    assert float(term) == 0


def test_the_start_is_of_small_convexes_all_over_the_box():
    model = small()
    assert model.connection.sum(1).tolist() == [1.0] * 40
    found = model.convexes()[0]
    assert not bool(found.empty.any())
    centres = found.centres().detach()
    assert bool((centres.abs() < 0.5).all()) and float(torch.pdist(centres).min()) > 0.1
    shared = BSPNet(3, 8, generator=torch.Generator().manual_seed(0))  # planes go round
    assert shared.connection.sum(0).tolist() == [1.0] * 8
    again = small(encoder="voxels")
    for a, b in zip(small(encoder="voxels").parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)  # the generator decides


def test_codes_of_different_shapes_differ_from_the_start():
    model = small(encoder="voxels")
    generator = torch.Generator().manual_seed(0)
    voxels = (torch.rand(20, 1, 16, 16, 16, generator=generator) < 0.3).float()
    spread = model.encode(voxels).detach().std(0)
    assert float(spread.mean()) > 0.05


def test_going_over_to_the_hard_union_keeps_the_shape():
    model = small()
    with torch.no_grad():
        model.steepen(20.0)
        model.connection[:, 0] += 0.02  # a haze that is not to count
    points = torch.rand(1, 20_000, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    exact = small()
    inside = exact.occupancy(points)
    model.harden()
    assert set(model.connection.unique().tolist()) == {0.0, 1.0}
    found = model.occupancy(points)
    assert float((found & inside).sum() / (found | inside).sum()) > 0.85


def test_hard_phases_leave_t_alone_and_soft_ones_move_it():
    model = small()
    with torch.no_grad():
        model.connection.abs_()
        model.weights.fill_(0.1)
    points = torch.rand(1, 200, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    inside = (points.norm(dim=2) < 0.3).float()
    for phase, moves in ((0, True), (1, False), (2, False), (3, True), (4, True)):
        model.zero_grad()
        sum(model.losses(points, inside, phase=phase).values()).backward()
        grad = model.connection.grad
        assert (grad is not None and float(grad.abs().sum()) > 0) == moves
        assert float(model.primitive.grad.abs().sum()) > 0


def test_phase_0_then_1_learn_a_box_directly():
    """From random planes and T, by the losses of the paper alone."""
    model = BSPNet(32, 4, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        model.primitive.mul_(4)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, 1500, 3, generator=generator) - 0.5
    inside = (points.abs() < torch.tensor([0.3, 0.2, 0.35])).all(2).float()
    for phase, steps in ((0, 500), (1, 500)):
        optimizer = torch.optim.Adam(list(model.parameters()), lr=0.02)
        for _ in range(steps):
            optimizer.zero_grad()
            sum(model.losses(points, inside, phase=phase).values()).backward()
            optimizer.step()
    found = model.occupancy(points)
    iou = (found & (inside > 0)).sum() / (found | (inside > 0)).sum()
    assert float(iou) > 0.65
    exact = contains(model.convexes()[0], points[0]).any(1)
    assert float((exact != found[0]).float().mean()) < 0.02


@pytest.mark.parametrize("encoder", ["voxels", "image", "points"])
def test_encoders_give_planes_and_exact_convexes(encoder):
    model = small(encoder=encoder)
    generator = torch.Generator().manual_seed(0)
    shape = {"voxels": (3, 1, 16, 16, 16), "image": (3, 1, 32, 32), "points": (3, 100, 3)}[encoder]
    code = model.encode(torch.rand(shape, generator=generator))
    with torch.no_grad():
        model.decoder.layers[-1].bias.copy_(torch.randn(160, generator=generator))
        model.decoder.layers[-1].bias.view(40, 4)[:, 3] = -0.3
    assert code.shape == (3, 16) and 0 < float(code.min()) < float(code.max()) < 1
    assert model.decode(code).shape == (3, 40, 4)
    found = model.convexes(code)
    assert len(found) == 3 and len(found[0]) == 6
    sum(c.volumes().sum() for c in found).backward()
    grads = [float(p.grad.abs().sum()) for p in model.decoder.parameters()]
    assert max(grads) > 0


def test_quadrics_make_a_ball():
    model = BSPNet(2, 1, primitives="quadrics")
    with torch.no_grad():  # x² + y² + z² - 0.3² and one that is never positive
        model.primitive.copy_(torch.tensor([[1.0, 1, 1, 0, 0, 0, 0, 0, 0, -0.09], [0.0] * 10]))
        model.connection.fill_(10.0)
    mesh = model.meshes(resolution=48)[0]
    assert mesh.is_watertight
    radius = mesh.vertices.norm(dim=1)
    assert float((radius - 0.3).abs().max()) < 0.02
    with pytest.raises(ValueError, match="only planes make exact polyhedra"):
        model.convexes()


def test_an_implicit_decoder_shares_t():
    model = small(encoder="voxels", decoder="implicit")
    code = model.encode(torch.zeros(2, 1, 16, 16, 16))
    points = torch.rand(2, 30, 3)
    assert model.distances(points, code).shape == (2, 30, 6)
    terms = model.losses(points, torch.ones(2, 30), code, phase=0)
    sum(terms.values()).backward()
    assert float(model.decoder.from_point.weight.grad.abs().sum()) > 0
    assert len(model.meshes(code, resolution=8)) == 2


def test_the_implicit_autoencoder_learns_and_meshes():
    torch.manual_seed(0)
    model = ImplicitAutoencoder(resolution=16, code=8, width=4, hidden=(32, 32))
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, 800, 3, generator=generator) - 0.5
    inside = (points.norm(dim=2) < 0.35).float()
    voxels = torch.zeros(1, 1, 16, 16, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        model.losses(points, inside, model.encode(voxels))["occupancy"].backward()
        optimizer.step()
    mesh = model.meshes(model.encode(voxels), resolution=24)[0]
    assert mesh.is_watertight
    assert float(mesh.volume()) == pytest.approx(4.19 * 0.35**3, rel=0.15)


def test_a_convex_without_planes_is_none_and_t_without_entries_is_refused():
    model = small()
    with torch.no_grad():
        model.connection.zero_()
        model.primitive[:, 3] = -0.1 * model.primitive[:, :3].norm(dim=1)
        model.connection[:20, 2] = 1
    found = model.convexes()[0]
    assert found.empty.tolist() == [True, True, False, True, True, True]
    with torch.no_grad():
        model.connection.zero_()
    with pytest.raises(ValueError, match="T has no entry above"):
        model.convexes()


@pytest.mark.parametrize(
    "make,words",
    [
        (lambda: small(encoder="voxels").encode(torch.zeros(1, 1, 32, 32, 32)), "voxels: expected"),
        (lambda: small(encoder="image").encode(torch.zeros(1, 3, 32, 32)), "images: expected"),
        (lambda: small(encoder="points").encode(torch.zeros(1, 0, 3)), "points: expected"),
        (lambda: small().encode(torch.zeros(1)), "encoder: this model is of one shape"),
        (lambda: small(encoder="voxels").decode(), "code: expected"),
        (lambda: small(encoder="mesh"), "encoder: expected one of"),
        (lambda: small(encoder="voxels", resolution=20), "resolution: expected 8"),
        (lambda: BSPNet(0, 3), "planes: expected 1 or more"),
        (lambda: BSPNet(3, 0), "convexes: expected 1 or more"),
        (lambda: small(primitives="cones"), "primitives: expected"),
        (lambda: small(decoder="implicit"), "decoder: 'implicit' needs a code"),
        (lambda: phase_losses(*[torch.zeros(1, 1, 1)] * 4, 5), "phase: expected 0 to 4"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# --- direct mode ---------------------------------------------------------------------------------


def iou_of(mesh: ml.Mesh, convexes) -> float:
    line = (torch.arange(48) + 0.5) / 48 - 0.5
    points = torch.cartesian_prod(line, line, line)
    inside = ml.winding_number(points, mesh) > 0.5
    found = contains(convexes, points).any(1)
    return float((inside & found).sum() / (inside | found).sum())


def ell() -> ml.Mesh:
    """Two boxes as an L, which no convex fits."""
    from meshlearn.convex import intersect_halfspaces

    rows = torch.cat([torch.eye(3), -torch.eye(3)])
    ends = [((-0.5, -0.5, -0.2), (-0.1, 0.5, 0.2)), ((-0.3, -0.5, -0.2), (0.5, -0.2, 0.2))]
    planes = [
        torch.cat([rows, torch.tensor([*(-h for h in high), *low])[:, None]], 1)
        for low, high in ends
    ]
    both = intersect_halfspaces(torch.stack(planes), bounds=((-0.5,) * 3, (0.5,) * 3))
    return union_convexes(both, simplify=True)


def test_surface_planes_are_those_of_a_box():
    mesh = shapes.box((1.0, 0.6, 0.4))
    generator = torch.Generator().manual_seed(0)
    from meshlearn.geometry import sample_surface

    found = sample_surface(mesh, 2000, generator=generator)
    order = torch.randperm(2000, generator=generator)
    planes = surface_planes(found.points[order], mesh.face_normals()[found.faces[order]])
    assert len(planes) == 6
    assert sorted(-planes[:, 3]) == pytest.approx([0.2, 0.2, 0.3, 0.3, 0.5, 0.5], abs=1e-6)


def test_direct_fit_of_an_l_is_exact():
    pytest.importorskip("manifold3d")
    mesh = ell()
    model = fit_shape(mesh, samples=6000, steps=20, progress=False)
    found = model.convexes()[0]
    assert len(found) == 2
    assert iou_of(mesh, found) > 0.999
    whole = union_convexes(found, simplify=True)
    assert whole.is_watertight and whole.num_vertices == 12
    assert float(whole.volume()) == pytest.approx(float(mesh.volume()), rel=1e-4)


@pytest.mark.parametrize(
    ("make", "least", "most"),
    [
        (lambda: shapes.torus(0.35, 0.14, segments=32, rings=16), 0.9, 60),
        (lambda: shapes.torus(0.4, 0.09, segments=96, rings=48), 0.85, 60),
        (lambda: shapes.torus(0.28, 0.21), 0.8, 40),
        (lambda: shapes.icosphere(3, radius=0.5), 0.85, 3),
        (lambda: shapes.box((1.0, 0.6, 0.4)), 0.999, 1),
        (lambda: shapes.cylinder(0.4, 0.9), 0.99, 1),
    ],
    ids=["torus", "fine thin torus", "fat torus", "sphere", "box", "cylinder"],
)
def test_plain_shapes_are_covered_with_any_seed(make, least, most):
    """Also by few samples, and where the planes of a convex do not suffice for all small cuts."""
    mesh = make()
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        known = ShapeSamples.of(mesh, generator=generator, count=3000)
        planes = surface_planes(known.surface, known.normals)
        found = cover(planes, known.points, known.depth, generator=generator)
        assert found.iou > least
        assert found.connection.shape[1] <= most


def test_planes_stand_for_all_of_a_curved_surface():
    """Of a finely divided torus, whose 4 degree patches are many more than the planes."""
    mesh = shapes.torus(0.36, 0.14, segments=128, rings=64)
    generator = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(mesh, 4000, normals=True, generator=generator)
    order = torch.randperm(4000, generator=generator)
    points, normals = points[order], normals[order]
    planes = surface_planes(points, normals)
    assert len(planes) <= 256
    alike = normals @ planes[:, :3].T > 0.95
    near = (points @ planes[:, :3].T + planes[:, 3]).abs() < 0.015
    assert float((alike & near).any(1).float().mean()) > 0.9


def test_rows_are_drawn_by_their_chances_without_repeats():
    chances = torch.tensor([0.0, 1.0, 3.0, 1e-9])
    generator = torch.Generator().manual_seed(0)
    pairs = torch.stack([_drawn(chances, 2, generator) for _ in range(2000)])
    assert set(pairs.reshape(-1).tolist()) == {1, 2}
    first = torch.cat([_drawn(chances, 1, generator) for _ in range(4000)])
    assert float((first == 2).float().mean()) == pytest.approx(0.75, abs=0.03)


def test_direct_fit_of_a_torus():
    mesh = shapes.torus(0.35, 0.14, segments=32, rings=16)
    model = fit_shape(mesh, samples=5000, steps=20, progress=False)
    found = model.convexes()[0]
    assert 6 <= len(found) <= 60
    assert iou_of(mesh, found) > 0.85
    again = fit_shape(mesh, samples=5000, steps=20, progress=False)
    assert torch.equal(again.primitive, model.primitive)  # the same seed, the same convexes
    mesh_of, losses = model()
    assert mesh_of.num_faces and losses == {}


def test_direct_fit_of_what_has_no_volume():
    with pytest.raises(ValueError, match="expected one with faces"):
        fit_shape(ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64)))
    with pytest.raises(ValueError, match="no sample lies inside"):
        fit_shape(shapes.plane((0.8, 0.8)), samples=2000, progress=False)
    with pytest.raises(ValueError, match="in the box"):
        fit_shape(shapes.icosphere(1))
    with pytest.raises(ValueError, match="no sample lies inside"):
        points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
        cover(torch.zeros(0, 4), points, -points[:, 0], generator=torch.Generator())
