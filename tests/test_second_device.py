"""The same work on the CPU and on a GPU: whole functions, whose operators `mirror` compares."""

from __future__ import annotations

import math

import pytest
import torch
from mirror import compare, device
from torch.nn.functional import normalize

import meshlearn as ml
from meshlearn.convex import intersect_halfspaces
from meshlearn.data import shapes
from meshlearn.fields import DeepSDF
from meshlearn.geometry import ray_mesh_intersection
from meshlearn.geometry.wrapping import cells
from meshlearn.io.points import PointCloud
from meshlearn.isosurface import SurfaceTracker, TetGrid
from meshlearn.losses import edge_length_loss, laplacian_loss, normal_consistency_loss
from meshlearn.metrics import self_intersections
from meshlearn.reconstruct import reconstruct
from meshlearn.render import antialias, rasterize, render, render_images, texture
from meshlearn.representations import BSPNet, HeartModel
from meshlearn.train.deepmesh import make_network, train_deepmesh

DEVICE = device()
pytestmark = pytest.mark.skipif(DEVICE is None, reason="no GPU, or operators without CUDA")
BOX = ((-0.5,) * 3, (0.5,) * 3)


def on_both(work, *, tolerance: float = 1e-4) -> None:
    """`work` of a device gives named tensors, equal to so much of their largest value."""
    one, two = work("cpu"), work(DEVICE)
    assert one.keys() == two.keys()
    for name, a in one.items():
        assert two[name].device.type == torch.device(DEVICE).type, name
        b = two[name].cpu()
        assert a.shape == b.shape, f"{name}: {a.shape} against {b.shape}"
        if not a.is_floating_point():
            compare(name, a, b)
            continue
        size = float(a.abs().max()) if a.numel() else 0.0
        assert (a - b).abs().max() <= tolerance * size if a.numel() else True, name


def draws(*shape: int, seed: int = 0, dtype=torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def torus(grid) -> torch.Tensor:
    x, y, z = grid.vertices.unbind(1)
    return torch.hypot(torch.hypot(x, y) - 0.55, z) - 0.25


def bumpy(where: str) -> ml.Mesh:
    ball = shapes.icosphere(4)
    v = ball.vertices
    return ball.with_vertices(v * (1 + 0.2 * torch.sin(4 * v[:, :1]) * torch.cos(5 * v[:, 2:]))).to(
        where
    )


@pytest.mark.parametrize("kind", ["flexicubes", "gshell", "tets", "sparse"])
def test_extraction_and_its_gradients(kind):
    def work(where):
        if kind == "tets":
            grid = TetGrid.from_voxels(16, device=where)
        elif kind == "sparse":
            ball = lambda p: p.norm(dim=1) - 0.6  # noqa: E731
            grid = ml.SparseVoxelGrid.from_field(
                ball, 64, bounds=((-1,) * 3, (1,) * 3), device=where
            )
        else:
            grid = ml.VoxelGrid(24, device=where)
        sdf = torus(grid) if kind != "sparse" else grid.vertices.norm(dim=1) - 0.6
        leaves = {"sdf": sdf}
        if kind == "tets":
            leaves["deform"] = 0.1 * draws(len(sdf), 3).to(where)
        else:
            cells = grid.num_cells
            sizes = {"deform": (len(sdf), 3), "alpha": (cells, 8), "beta": (cells, 12)}
            for i, (name, size) in enumerate({**sizes, "gamma": (cells,)}.items()):
                leaves[name] = 0.1 * draws(*size, seed=i).to(where)
        if kind == "gshell":
            leaves["msdf"] = grid.vertices[:, 0] + 0.2
        leaves = {name: leaf.requires_grad_() for name, leaf in leaves.items()}
        if kind == "tets":
            mesh = ml.marching_tetrahedra(grid, leaves["sdf"], deform=leaves["deform"])
            loss = mesh.vertices.square().sum()
        elif kind == "gshell":
            rest = {k: v for k, v in leaves.items() if k not in ("sdf", "msdf")}
            out = ml.gshell(grid, leaves["sdf"], leaves["msdf"], training=True, **rest)
            mesh, loss = out.mesh, out.mesh.vertices.square().sum() + out.dev_loss.sum()
        else:
            rest = {k: v for k, v in leaves.items() if k != "sdf"}
            out = ml.flexicubes(grid, leaves["sdf"], training=True, **rest)
            mesh, loss = out.mesh, out.mesh.vertices.square().sum() + out.dev_loss.sum()
        loss.backward()
        found = {"vertices": mesh.vertices.detach(), "faces": mesh.faces}
        return found | {name: leaf.grad for name, leaf in leaves.items()}

    on_both(work)


def test_marching_cubes_and_dual():
    def work(where):
        grid = ml.VoxelGrid((20, 24, 28), device=where)
        sdf = torus(grid)
        one, two = ml.marching_cubes(grid, sdf), ml.dual_marching_cubes(grid, sdf)
        return {"mc": one.vertices, "mcf": one.faces, "dmc": two.vertices, "dmcf": two.faces}

    on_both(work)


def test_queries_of_meshes_and_points():
    def work(where):
        mesh = bumpy(where)
        points = draws(2000, 3).to(where).requires_grad_()
        distance, face, _ = ml.point_mesh_distance(points, mesh)
        signed = ml.signed_distance(points, mesh)
        near = ml.knn(points.detach(), mesh.vertices, 4)
        chamfer = ml.chamfer_distance(points, mesh.vertices)
        hits = ray_mesh_intersection(
            points.detach(), normalize(draws(2000, 3, seed=1).to(where)), mesh
        )
        (grad,) = torch.autograd.grad(distance.sum() + signed.sum() + chamfer, points)
        winding = ml.winding_number(points.detach(), mesh, beta=math.inf)  # others approximate
        found = {"distance": distance, "signed": signed, "chamfer": chamfer, "grad": grad}
        found = {name: value.detach() for name, value in found.items()}
        return found | {
            "face": face, "index": near.index, "winding": winding, "hit": hits.face,
        }  # fmt: skip

    on_both(work, tolerance=1e-3)


def test_cells_of_wraps():
    """Also of many cells, through which a flood takes many turns."""

    def work(where):
        way = draws(40, 24, 56).cumsum(0).cumsum(2)
        code = (3 + 0.2 * way).clamp(0, 5).to(torch.uint8).to(where)
        inside = cells.cells_inside(code, 2.6, wide=(1.5, 4.5))
        inside[[0, -1]] = inside[:, [0, -1]] = inside[:, :, [0, -1]] = 0
        mended = cells.mend_cells(inside)
        corner, squares = cells.cell_surface(mended)
        return {"inside": inside, "mended": mended, "corner": corner, "squares": squares}

    on_both(work)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 4, 5, 63, 64, 65, 513, 5000])
def test_trees_of_every_size(count, dtype):
    """Equal answers from trees that were built on either machine, of points that repeat too."""

    def work(where):
        points = draws(count, 3, dtype=dtype)
        points[::3] = points[count // 2].clone()
        query = torch.cat((draws(500, 3, seed=1, dtype=dtype), points[:50])).to(where)
        corners = points[:, None] + 0.2 * draws(count, 3, 3, seed=2, dtype=dtype)
        corners[::7, 2] = corners[::7, 1]  # an edge
        faces = torch.arange(3 * count, device=where).view(-1, 3)
        mesh = ml.Mesh(corners.reshape(-1, 3).to(where), faces)
        near = ml.knn(query, points.to(where), min(4, count))
        closest = ml.point_mesh_distance(query, mesh)
        hits = ray_mesh_intersection(query, mesh.vertices[:1] - query, mesh)
        winding = ml.winding_number(query, mesh, beta=math.inf)
        return {
            "near": near.squared_distance, "index": near.index, "distance": closest[0],
            "face": closest[1], "winding": winding, "hit": hits.face,
        }  # fmt: skip

    on_both(work)


def test_samples_losses_and_measures():
    def work(where):
        mesh = bumpy(where)
        v = mesh.vertices.clone().requires_grad_()
        moved = mesh.with_vertices(v)
        samples = ml.sample_points(moved, 500, generator=torch.Generator().manual_seed(0))
        terms = [
            laplacian_loss(moved), edge_length_loss(moved),
            normal_consistency_loss(moved), samples.square().sum(),
            moved.volume(), moved.area(),
        ]  # fmt: skip
        (grad,) = torch.autograd.grad(sum(terms), v)
        found = {f"term {i}": t.detach() for i, t in enumerate(terms)}
        return found | {
            "grad": grad, "normals": mesh.vertex_normals(), "edges": mesh.topology.edges,
            "crossings": self_intersections(mesh),
        }  # fmt: skip

    on_both(work)


def test_reports_and_comparisons():
    one, two = bumpy("cpu"), bumpy(DEVICE)
    assert one.check().to_dict() == two.check().to_dict()
    other = shapes.icosphere(3)
    a = ml.metrics.compare(one, other, samples=2000)
    b = ml.metrics.compare(two, other.to(DEVICE), samples=2000)
    for name, value in a.items():
        assert b[name] == (
            value if not isinstance(value, float) else pytest.approx(value, rel=1e-3)
        )


def test_images_and_their_gradients():
    cam = ml.Camera.look_at((0.4, 0.6, 3.0), fov=45.0)

    def work(where):
        mesh, view = bumpy(where), cam.to(where)
        v = mesh.vertices.clone().requires_grad_()
        colors = (0.5 + 0.5 * mesh.vertices).requires_grad_()
        shape = ml.Mesh(v, mesh.faces, vertex_attributes={"color": colors})
        out = render(shape, view, 96, channels=("mask", "depth", "normal", "color", "shaded"))
        fragments = rasterize(shape, view, 96)
        soft = antialias(fragments.mask.float(), fragments, shape, view)
        tex = draws(64, 64, 3).to(where).requires_grad_()
        image = texture(tex, fragments.barycentric[..., :2], mask=fragments.mask)
        loss = sum(out[k].square().sum() for k in out) + soft.square().sum() + image.square().sum()
        grads = torch.autograd.grad(loss, (v, colors, tex))
        found = {name: value.detach() for name, value in out.items()}
        return found | {f"grad {i}": g for i, g in enumerate(grads)} | {"face": fragments.face}

    on_both(work, tolerance=1e-3)


def test_convexes_of_half_spaces():
    planes = torch.cat((normalize(draws(6, 12, 3), dim=-1), -0.4 * torch.ones(6, 12, 1)), -1)

    def work(where):
        leaf = planes.to(where).requires_grad_()
        found = intersect_halfspaces(leaf, bounds=((-1.0,) * 3, (1.0,) * 3))
        volumes = found.volumes()
        (grad,) = torch.autograd.grad(volumes.sum(), leaf)
        return {"volume": volumes.detach(), "grad": grad}

    on_both(work)


def test_level_sets_of_a_network():
    torch.manual_seed(0)
    network = DeepSDF(4, hidden=32, layers=3, skip=None).double()
    code = 0.3 * draws(4, dtype=torch.float64)

    def work(where):
        net = network.to(where)
        latent = code.clone().to(where).requires_grad_()
        grid = ml.VoxelGrid(24, device=where, dtype=torch.float64)
        field = lambda p, z: net(p, z) + p.norm(dim=1) - 0.6  # noqa: E731
        mesh = ml.level_set_mesh(field, grid, latent=latent)
        tracker = SurfaceTracker(
            24, bounds=((-1,) * 3, (1,) * 3), device=where, dtype=torch.float64
        )
        tracked = ml.level_set_mesh(field, tracker, latent=latent)
        net.zero_grad()
        (mesh.volume() + tracked.area()).backward()
        weight = next(net.parameters()).grad.clone()
        return {"vertices": mesh.vertices.detach(), "code": latent.grad, "weight": weight}

    on_both(work, tolerance=1e-8)


@pytest.mark.parametrize("method", ["flexicubes", "gshell", "deepmesh", "bspnet"])
@pytest.mark.parametrize("source", ["mesh", "points", "images"])
def test_fits(method, source):
    if source == "images" and method in ("deepmesh", "bspnet"):
        pytest.skip("of meshes and points here")
    if method == "bspnet":
        pytest.importorskip("manifold3d")
    mesh = shapes.gear()
    given = mesh
    if source == "points":
        given = PointCloud(ml.sample_points(mesh, 3000), None)
    if source == "images":
        given = render_images(mesh, 8, size=64, samples=1)
    steps = 30 if method == "deepmesh" else 12
    options = {"method": method, "resolution": 24, "steps": steps, "progress": False}
    result = reconstruct(given, device=DEVICE, **options)
    assert result.mesh.device.type == torch.device(DEVICE).type
    own = reconstruct(given, **options)
    far = [
        ml.metrics.compare(m.mesh.to("cpu"), mesh, samples=4000)["chamfer"] for m in (result, own)
    ]
    assert far[0] < 1.5 * far[1] + 1e-3, far


def test_the_same_seed_gives_the_same_mesh():
    def run():
        return reconstruct(
            shapes.gear(), resolution=20, steps=6, device=DEVICE, progress=False
        ).mesh

    one, two = run(), run()
    assert torch.equal(one.faces, two.faces) and torch.equal(one.vertices, two.vertices)


@pytest.mark.parametrize("amp", [None, "bf16"])
def test_training_of_an_auto_decoder(amp, tmp_path):
    class Balls:
        def __len__(self):
            return 4

        def sample(self, k, generator):
            p = torch.rand(128, 3, generator=generator) - 0.5
            return {"index": torch.tensor(k), "points": p, "sdf": p.norm(dim=1) - 0.2 - 0.03 * k}

    result = train_deepmesh(
        Balls(), network=make_network(4, hidden=48, layers=4), steps=300, batch=4, lr=5e-3,
        resolution=24, folder=tmp_path / "run", device=DEVICE, amp=amp, progress=False,
    )  # fmt: skip
    assert result.history["sdf"][-1] < 0.5 * result.history["sdf"][0]
    assert result.model.mesh(1).is_watertight


def test_a_step_of_bspnet_s_training():
    model = BSPNet(
        40, 6, encoder="voxels", code=16, hidden=(32, 32), width=4, resolution=16,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    points = torch.rand(2, 300, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    inside = (points.norm(dim=-1) < 0.3).float()
    voxels = torch.zeros(2, 1, 16, 16, 16)
    voxels[..., 4:12, 4:12, 4:12] = 1

    def work(where):
        net = model.to(where)
        net.zero_grad()
        terms = net.losses(
            points.to(where), inside.to(where), net.encode(voxels.to(where)), phase=0
        )
        sum(terms.values()).backward()
        return {"connection": net.connection.grad.clone()}

    on_both(work, tolerance=1e-3)


def test_hearts():
    model = HeartModel()

    def work(where):
        heart = model.to(where)
        found = {}
        for surface in ("lv", "rv", "epi"):
            mesh = heart.mesh(surface, rows=12, columns=24)
            found[surface] = mesh.vertices.detach()
            found[f"{surface} volume"] = mesh.volume().detach()
        return found

    on_both(work)
