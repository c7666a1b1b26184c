"""Gradients through a level set: against closed forms, finite differences and a torch reference."""

import math
import warnings

import pytest
import seeds
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import meshlearn as ml
from meshlearn.fields import SIREN, DeepSDF, HashGrid, NonFiniteField, Occupancy
from meshlearn.isosurface import (
    SurfaceTracker,
    TetGrid,
    VoxelGrid,
    level_set_mesh,
    level_set_meshes,
    level_set_vertices,
)
from meshlearn.isosurface.level_set import attach_vertices, attach_vertices_reference

METHODS = ["mc", "dmc", "flexicubes", "tets"]


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def grid_for(method: str, cells: int = 32):
    if method == "tets":
        return TetGrid.from_voxels(cells * 3 // 4, dtype=torch.float64)
    return VoxelGrid(cells, dtype=torch.float64)


@pytest.mark.parametrize("method", METHODS)
def test_a_sphere_s_vertices_follow_its_radius(method):
    """d v / d r is the outward normal, at every vertex."""
    radius = number(0.6)
    mesh = level_set_mesh(lambda p: p.norm(dim=1) - radius, grid_for(method), method=method)
    normal = torch.nn.functional.normalize(mesh.vertices.detach(), dim=1)
    upstream = torch.randn(normal.shape, generator=torch.Generator().manual_seed(0)).double()
    (found,) = torch.autograd.grad((mesh.vertices * upstream).sum(), radius, retain_graph=True)
    torch.testing.assert_close(found, (normal * upstream).sum())
    (volume,) = torch.autograd.grad(mesh.volume(), radius)
    assert volume.item() == pytest.approx(4 * math.pi * 0.36, rel=0.01)


def bumpy(p, a):
    """Slopes from about 0.8 to 7: no signed distance."""
    return (1 + 2 * p[:, 0] ** 2) * (
        (p[:, 0] / a) ** 2 + p[:, 1] ** 2 / 0.3 + p[:, 2] ** 2 / 0.5 - 1
    ) + 0.2 * torch.sin(5 * p[:, 1]) * a


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("quantity", ["volume", "area"])
def test_volume_and_area_against_finite_differences(method, quantity):
    grid = grid_for(method, 48)

    def measure(a, **options):
        mesh = level_set_mesh(lambda p: bumpy(p, a), grid, method=method, project=True, **options)
        return getattr(mesh, quantity)()

    a, h = number(0.7), 1e-3
    (found,) = torch.autograd.grad(measure(a), a)
    with torch.no_grad():
        wanted = (measure(a + h) - measure(a - h)) / (2 * h)
    assert found.item() == pytest.approx(wanted.item(), rel=0.01)
    (wrong,) = torch.autograd.grad(measure(a, derivative="distance"), a)
    assert abs(wrong / wanted - 1) > 0.2  # the form of a signed distance does not hold here


def test_both_forms_agree_for_a_signed_distance():
    grid, radius = VoxelGrid(24, dtype=torch.float64), number(0.5)
    found = []
    for derivative in ("general", "distance"):
        mesh = level_set_mesh(lambda p: p.norm(dim=1) - radius, grid, derivative=derivative)
        found.append(torch.autograd.grad(mesh.area(), radius)[0])
    torch.testing.assert_close(found[0], found[1])


def test_another_level_is_the_field_less_that_level():
    grid, radius = VoxelGrid(24, dtype=torch.float64), number(0.4)
    meshes = [
        level_set_mesh(lambda p: p.norm(dim=1) - radius, grid, level=0.2, project=True),
        level_set_mesh(lambda p: p.norm(dim=1) - radius - 0.2, grid, project=True),
    ]
    torch.testing.assert_close(meshes[0].vertices, meshes[1].vertices)
    torch.testing.assert_close(meshes[0].vertices.norm(dim=1).mean(), torch.tensor(0.6).double())
    grads = [torch.autograd.grad(m.volume(), radius)[0] for m in meshes]
    torch.testing.assert_close(grads[0], grads[1])


@pytest.mark.parametrize("method", METHODS[:3])
def test_projection_puts_vertices_on_the_level_set(method):
    grid, a = VoxelGrid(24, dtype=torch.float64), torch.tensor(0.7).double()
    off = [
        bumpy(level_set_mesh(lambda p: bumpy(p, a), grid, method=method, project=p).vertices, a)
        for p in (False, True)
    ]
    assert off[1].abs().mean() < 0.1 * off[0].abs().mean()


def fields_with_codes():
    torch.manual_seed(5)
    return {
        "deepsdf": DeepSDF(4, hidden=16, layers=4, skip=2, activation="softplus", radius=0.5),
        "siren": SIREN(4, hidden=16, layers=2, omega=4),
        "hash": HashGrid(4, levels=2, finest=12, hidden=8),
        "occupancy": Occupancy(HashGrid(4, levels=2, finest=12, hidden=8)),
    }


@pytest.mark.parametrize("kind", ["deepsdf", "siren", "hash", "occupancy"])
def test_weights_codes_and_inputs_get_the_reference_s_gradients(kind):
    """Against a Newton step of length zero, written in plain torch without the operator."""
    field = fields_with_codes()[kind].double()
    code = (0.3 * torch.ones(4)).double().requires_grad_()
    scale, grid = number(1.1), VoxelGrid(16, dtype=torch.float64)
    inputs = [*field.parameters(), code, scale]

    def value(p):
        return field(p * scale, code)

    with torch.no_grad():
        level = value(torch.tensor([[0.55, 0.0, 0.0]]).double()).item()
    mesh = level_set_mesh(value, grid, level=level)
    weight = torch.randn(mesh.vertices.shape, generator=torch.Generator().manual_seed(0)).double()
    found = torch.autograd.grad((mesh.vertices * weight).sum(), inputs, allow_unused=True)
    at = mesh.vertices.detach().requires_grad_()
    slope = torch.autograd.grad(value(at).sum(), at)[0].detach()
    v = at.detach()
    moved = v - ((value(v) - value(v).detach())[:, None] * slope) / (slope**2).sum(1, True)
    wanted = torch.autograd.grad((moved * weight).sum(), inputs, allow_unused=True)
    for mine, theirs in zip(found, wanted, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-9)
    assert found[-1].abs() > 0 and found[-2].abs().max() > 0


def test_the_operator_equals_its_reference_twice_differentiated():
    g = torch.Generator().manual_seed(0)
    vertices, direction, weight = (
        torch.randn(7, 3, generator=g, dtype=torch.float64) for _ in range(3)
    )
    found = []
    for attach in (attach_vertices, attach_vertices_reference):
        values = torch.zeros(7, dtype=torch.float64, requires_grad=True)
        upstream = weight.clone().requires_grad_()
        moved = attach(values**2 + values, vertices, direction)
        (first,) = torch.autograd.grad(moved, values, upstream, create_graph=True)
        second = torch.autograd.grad((first**2).sum(), [values, upstream])
        found.append((moved.detach(), first.detach(), *second))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_gradients_through_the_renderer():
    """The silhouette's area grows with the radius as the picture of a larger ball says."""
    camera = ml.Camera.look_at((0, 0, 3), fov=45.0)
    grid = VoxelGrid(32)

    def covered(radius):
        mesh = level_set_mesh(lambda p: p.norm(dim=1) - radius, grid, project=True)
        image = ml.render(mesh, camera, 96, channels=("mask",), antialias=True)
        return image["mask"].sum()

    radius = torch.tensor(0.6, requires_grad=True)
    (found,) = torch.autograd.grad(covered(radius), radius)
    with torch.no_grad():
        wanted = (covered(radius + 0.03) - covered(radius - 0.03)) / 0.06
    assert found.item() == pytest.approx(wanted.item(), rel=0.05)


def donut(p, t):
    """A ball that a hole opens in as t grows past about 0.5: between two signed distances."""
    ball = p.norm(dim=1) - 0.75
    ring = ((p[:, :2].norm(dim=1) - 0.5) ** 2 + p[:, 2] ** 2 + 1e-12).sqrt() - 0.25
    return (1 - t) * ball + t * ring


@pytest.mark.parametrize(("start", "goal"), [(0.1, 0.9), (0.9, 0.1)])
def test_a_loss_opens_and_closes_a_hole(start, goal):
    """Genus 0 to 1 and back, driven by points of the other shape alone."""
    grid = VoxelGrid(24, dtype=torch.float64)
    with torch.no_grad():
        wanted = level_set_mesh(lambda p: donut(p, goal), grid)
        target = ml.sample_points(wanted, 2000, generator=torch.Generator().manual_seed(0))
    t = number(start)
    adam = torch.optim.Adam([t], lr=0.03)
    euler, losses = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for step in range(60):
            mesh = level_set_mesh(lambda p: donut(p, t), grid)
            loss = ml.losses.chamfer_loss(
                mesh, target, generator=torch.Generator().manual_seed(step)
            )
            adam.zero_grad()
            loss.backward()
            assert torch.isfinite(t.grad)
            adam.step()
            euler.append(mesh.topology.euler_number)
            losses.append(loss.item())
            assert mesh.is_watertight
    assert euler[0] == (2 if start < goal else 0) and euler[-1] == 2 - euler[0]
    assert t.item() == pytest.approx(goal, abs=0.1) and losses[-1] < 0.1 * losses[0]


def test_two_balls_merge_and_part():
    """The distance between two balls follows the length that their union should have."""
    grid = VoxelGrid((32, 16, 16), bounds=((-1, -0.5, -0.5), (1, 0.5, 0.5)), dtype=torch.float64)

    def balls(p, d):
        shift = torch.stack([d, 0 * d, 0 * d])
        return torch.minimum((p - shift).norm(dim=1), (p + shift).norm(dim=1)) - 0.35

    for start, length, parts in ((0.5, 1.1, 1), (0.2, 1.6, 2)):
        d = number(start)
        adam = torch.optim.Adam([d], lr=0.02)
        for _ in range(60):
            mesh = level_set_mesh(lambda p: balls(p, d), grid, project=True)  # noqa: B023
            low, high = mesh.bounds()
            adam.zero_grad()
            ((high[0] - low[0] - length) ** 2).backward()
            adam.step()
        assert mesh.topology.components().count == parts
        assert d.item() == pytest.approx(length / 2 - 0.35, abs=0.02)


def test_a_gradient_that_vanishes_is_clamped_and_counted():
    def saddle(p):
        return scale * (p[:, 0] ** 2 + p[:, 1] ** 2 - p[:, 2] ** 2)

    scale = number(1.0)
    points = torch.tensor(
        [[0.0, 0, 0], [1e-4, 0, 1e-4], [0.5, 0, 0.5], [0, 0.4, 0.4], [0.3, 0, 0.3]]
    ).double()
    with torch.enable_grad():
        moved, report = level_set_vertices(lambda p: saddle(p) + scale - 1, points)
    assert report.clamped == 2 and report.vertices == 5 and report.slope_min == 0.0
    gradient = torch.autograd.grad(moved[:2].abs().sum(), scale)[0]
    assert torch.isfinite(gradient) and gradient.abs() < 1e-2
    with pytest.warns(RuntimeWarning, match="vanishes at 1 of"):
        level_set_mesh(
            lambda p: (p[:, 0] ** 2 + p[:, 1] ** 2) * scale - p[:, 2].clamp(min=-0.5, max=0.5),
            VoxelGrid((2, 2, 1), bounds=((-1, -1, -1), (1, 1, 1)), dtype=torch.float64),
            method=lambda grid, values, level: ml.Mesh(
                torch.tensor([[0.0, 0, 0.6], [1, 0, 0], [0, 1, 0]]).double(),
                torch.tensor([[0, 1, 2]]),
            ),
        )


def test_bad_fields_are_told():
    grid = VoxelGrid(8)
    with pytest.warns(RuntimeWarning, match="no zero crossing"):
        assert level_set_mesh(lambda p: p.norm(dim=1) + 1, grid).num_vertices == 0
    with pytest.warns(RuntimeWarning, match="no zero crossing"):
        assert level_set_mesh(lambda p: p.norm(dim=1) + 1, SurfaceTracker(16)).num_vertices == 0
    net = SIREN(hidden=8, layers=2)
    with torch.no_grad():
        net.sines[1].weight[0, 0] = torch.nan
    for where in (grid, SurfaceTracker(16)):
        with pytest.raises(NonFiniteField, match=r"'sines\.1\.weight' of SIREN"):
            level_set_mesh(net, where)
    flat = torch.zeros(grid.num_vertices)
    for call, word in [
        (lambda: level_set_mesh(3, grid), "field"),
        (lambda: level_set_mesh(lambda p: p[:, 0], 3), "grid"),
        (lambda: level_set_mesh(lambda p: p[:, 0], grid, method="x"), "method"),
        (lambda: level_set_mesh(lambda p: p[:, 0], grid, derivative="x"), "derivative"),
        (lambda: level_set_mesh(lambda p: p[:, 0], grid, min_slope=2), "min_slope"),
        (lambda: level_set_mesh(lambda p: p.detach()[:, 0] - 0.1, grid), "depends on its points"),
        (lambda: level_set_mesh(lambda p: p, grid), "expected"),
        (lambda: level_set_mesh(lambda p: p[:, 0], SurfaceTracker(8), values=flat), "values"),
    ]:
        with pytest.raises(ValueError, match=word):
            call()


def test_without_gradients_the_mesh_is_plain():
    with torch.no_grad():
        mesh = level_set_mesh(lambda p: p.norm(dim=1) - 0.5, VoxelGrid(8))
    assert not mesh.vertices.requires_grad


def test_codes_at_once_are_the_codes_one_by_one():
    field = fields_with_codes()["deepsdf"]
    codes = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    meshes = level_set_meshes(field, codes, 32)
    weight = [
        torch.rand(m.num_vertices, 3, generator=torch.Generator().manual_seed(1)) for m in meshes
    ]
    loss = sum((m.vertices * w).sum() for m, w in zip(meshes, weight, strict=True))
    together = torch.autograd.grad(loss, [codes, *field.parameters()])
    loss, grid = 0, VoxelGrid(32)
    for k, w in enumerate(weight):
        mesh = level_set_mesh(field, grid, latent=codes[k])
        torch.testing.assert_close(mesh.vertices, meshes[k].vertices, atol=1e-5, rtol=0)
        assert torch.equal(mesh.faces, meshes[k].faces)
        loss = loss + (mesh.vertices * w).sum()
    alone = torch.autograd.grad(loss, [codes, *field.parameters()])
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max()) + 1e-7)


def test_under_autocast_gradients_stay_close_and_the_mesh_is_exact():
    torch.manual_seed(0)
    field = DeepSDF(4, hidden=32, layers=4, skip=2, activation="softplus", radius=0.5)
    code = torch.zeros(4, requires_grad=True)
    grid, found = VoxelGrid(24), []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            mesh = level_set_mesh(field, grid, latent=code)
            assert mesh.dtype == torch.float32
            loss = mesh.volume()
        grads = torch.autograd.grad(loss, [code, *field.parameters()])
        found.append((mesh, torch.cat([g.reshape(-1) for g in grads])))
    assert torch.equal(found[0][0].vertices, found[1][0].vertices)
    exact, rounded = found[0][1], found[1][1]
    assert torch.isfinite(rounded).all()
    assert (exact - rounded).norm() < 0.05 * exact.norm()


def _small(seed: int = 0):
    torch.manual_seed(seed)
    return DeepSDF(4, hidden=16, layers=3, skip=2, activation="softplus", radius=0.5)


def _volume(field, rank: int) -> torch.Tensor:
    """Each process has a shape of its own, and one of them other numbers of points."""
    grid = SurfaceTracker(16) if rank else VoxelGrid(12)
    code = torch.full((4,), 0.1 + 0.1 * rank)
    return level_set_mesh(field, grid, latent=code).volume()


def _process(rank: int, size: int, rendezvous: str, out: str) -> None:
    seeds.shift(seeds.offset())  # as in the test, which compares
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=size)
    torch.set_num_threads(1)
    field = _small(rank)  # processes start apart: DDP makes them equal
    ddp = torch.nn.parallel.DistributedDataParallel(field)
    for _ in range(2):  # twice: nothing may be left over from the first
        ddp.zero_grad()
        _volume(ddp, rank).backward()
    if rank == 0:
        torch.save({k: p.grad for k, p in field.named_parameters()}, out)
    dist.barrier()
    dist.destroy_process_group()


def test_two_processes_share_the_gradients(tmp_path):
    out = tmp_path / "grads.pt"
    mp.spawn(_process, (2, f"file://{tmp_path}/meet", str(out)), nprocs=2)
    found = torch.load(out, weights_only=True)
    field = _small(0)
    (0.5 * (_volume(field, 0) + _volume(field, 1))).backward()
    for name, parameter in field.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)
    assert max(float(g.abs().max()) for g in found.values()) > 0.1
