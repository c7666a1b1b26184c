"""The rasteriser against its reference, against rays, and against what a rasteriser must hold."""

import pytest
import torch

from meshlearn import Camera, Mesh, rasterize
from meshlearn._native import HAS_NATIVE
from meshlearn.render import interpolate
from meshlearn.render.rasterize import rasterize_homogeneous
from tests.render.shapes import box, plane, read, sphere
from tests.shared_data import shared_data

BACKENDS = ["reference", *(["native"] if HAS_NATIVE else [])]
native_only = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")


def soup(count: int, seed: int, dtype: torch.dtype) -> Mesh:
    g = torch.Generator().manual_seed(seed)
    centre = torch.rand(count, 1, 3, generator=g, dtype=dtype) * 2 - 1
    corner = centre + (torch.rand(count, 3, 3, generator=g, dtype=dtype) - 0.5)
    return Mesh(corner.reshape(-1, 3), torch.arange(3 * count).view(-1, 3))


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "cam",
    [
        Camera.look_at((0.3, 0.5, 3.0)),
        Camera.look_at((0.1, 0.05, 0.2), (1, 0.2, 0.1), fov=100.0),  # amidst the triangles
        Camera.look_at((1, 2, 3), height=2.2),
        Camera.orbit(3, elevation=[10.0, -40.0]),
    ],
    ids=["outside", "inside", "orthographic", "batch"],
)
def test_native_equals_reference(cam: Camera, dtype: torch.dtype) -> None:
    mesh = soup(300, 1, dtype)
    got = rasterize(mesh, cam, (61, 83))
    want = rasterize(mesh, cam, (61, 83), backend="reference")
    assert 0 < int(got.mask.sum())
    assert torch.equal(got.face, want.face)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-13
    assert torch.allclose(got.barycentric, want.barycentric, rtol=0, atol=tolerance)
    assert torch.allclose(got.depth, want.depth, rtol=tolerance, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_barycentrics_give_the_point_on_the_ray(backend: str) -> None:
    mesh = soup(100, 2, torch.float64)
    cam = Camera.look_at((0.2, 0.1, 0.6), (0, 0.3, -1), fov=80.0).to(torch.float64)
    out = rasterize(mesh, cam, 48, backend=backend)
    point = interpolate(mesh.vertices, out, mesh.faces)
    place = cam.project(point[out.mask], 48)
    row, col = torch.nonzero(out.mask, as_tuple=True)
    assert torch.allclose(place[:, 0], col.double() + 0.5, atol=1e-8)
    assert torch.allclose(place[:, 1], row.double() + 0.5, atol=1e-8)
    assert torch.allclose(place[:, 2], out.depth[out.mask], rtol=1e-10)
    assert bool((out.barycentric[out.mask] >= 0).all())
    assert bool((out.depth[out.mask] >= cam.near).all())
    assert bool((out.depth[~out.mask] == 0).all() and (out.barycentric[~out.mask] == 0).all())


def hits(mesh: Mesh, cam: Camera, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Nearest face and camera depth by Möller and Trumbore's test of every ray with every face."""
    origin, ray = (t.double().reshape(-1, 3) for t in cam.rays(size))
    corner = mesh.vertices.double()[mesh.faces]
    a, u, v = corner[:, 0], corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    normal = torch.linalg.cross(u, v)
    best = torch.full((origin.shape[0],), torch.inf, dtype=torch.float64)
    face = torch.full((origin.shape[0],), -1)
    for part in torch.arange(origin.shape[0]).split(max(1, 2_000_000 // max(len(a), 1))):
        o, d = origin[part], ray[part]
        # rays share their origin but for an orthographic camera: plain matrix products
        det = -(d @ normal.T)
        t = ((o[:, None] - a) * normal).sum(-1) / det
        m = torch.linalg.cross(o[:, None] - a, d[:, None].expand(-1, len(a), -1))
        bu, bv = (m * v).sum(-1) / det, -(m * u).sum(-1) / det
        t = torch.where((bu >= 0) & (bv >= 0) & (bu + bv <= 1) & (t > 0), t, torch.inf)
        best[part], face[part] = t.min(1)
    face[torch.isinf(best)] = -1
    depth = best * (ray @ cam.forward.double())
    return face.view(size, size), depth.view(size, size)


def agree(mesh: Mesh, cam: Camera, size: int) -> None:
    out = rasterize(mesh, cam, size)
    face, depth = hits(mesh, cam, size)
    seen = face >= 0
    assert int(seen.sum()) > 100
    assert int((seen != out.mask).sum()) <= 1e-3 * int(seen.sum()) + 2  # rays along the silhouette
    both = seen & out.mask
    same = (face == out.face)[both]
    # faces at the same depth may change places
    close = (out.depth[both].double() / depth[both] - 1).abs() < 1e-4
    assert float(close.double().mean()) > 0.999
    assert float(same.double().mean()) > 0.999
    assert bool(close[same].all())


def test_agrees_with_rays_on_a_sphere() -> None:
    agree(sphere(), Camera.look_at((1, 2, 3)), 64)
    agree(sphere(), Camera.look_at((1, 2, 3), height=2.5), 64)
    agree(sphere(), Camera.look_at((0, 0, 0.2), (1, 0, 0), fov=110.0), 64)


@pytest.mark.parametrize("name", ["spot.obj", "suzanne.obj", "beetle.obj", "truck.obj"])
def test_agrees_with_rays_on_real_meshes(name: str) -> None:
    mesh = read(shared_data("meshes", name))
    agree(mesh, Camera.framing(*mesh.bounds()), 48)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["fandisk.obj", "rocker-arm.obj", "armadillo.obj", "cheburashka.obj", "camelhead.off"],
)
def test_agrees_with_rays_on_large_meshes(name: str) -> None:
    mesh = read(shared_data("meshes", name))
    agree(mesh, Camera.framing(*mesh.bounds()), 64)


# --- fill rule


def coverage(mesh: Mesh, cam: Camera, size: int) -> torch.Tensor:
    """How many faces take each pixel, each face drawn alone."""
    clip = cam.homogeneous(mesh.vertices, size)[None]
    near = clip.new_full((1,), cam.near)
    count = torch.zeros(size, size, dtype=torch.int64)
    for face in mesh.faces:
        count += rasterize_homogeneous(clip, face[None], near, (size, size)).mask[0]
    return count


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [2, 4, 7, 8])
def test_shared_edges_are_hit_once(n: int, dtype: torch.dtype) -> None:
    # 16 pixels and 2, 4, 8 squares: every edge and every vertex runs through pixel centres or
    # between them, depending on the half-pixel shift
    mesh = plane(n, dtype)
    for shift in (0.0, 0.0625):
        moved = mesh.with_vertices(mesh.vertices + torch.tensor([shift, shift, 0], dtype=dtype))
        cam = Camera.look_at((0, 0, 2), height=2.0).to(dtype)
        count = coverage(moved, cam, 16)
        assert int(count.max()) == 1
        # half a pixel to the right and up: the left border is in, the lower border is out
        if n != 7:  # sevenths are rounded, so the border is not straight
            assert int(count.sum()) == (256 if shift == 0 else 16 * 15)
        assert bool((count[1:15, 1:15] == 1).all())


def test_turned_fan_is_watertight() -> None:
    mesh = plane(6)
    g = torch.Generator().manual_seed(3)
    for _ in range(8):
        eye = torch.randn(3, generator=g)
        eye[2] = eye[2].abs() + 0.5
        cam = Camera.look_at(eye, fov=20.0)
        inside = coverage(mesh, cam, 32)
        assert bool((inside == 1).all()) or int(inside.max()) == 1
        outline = Mesh(mesh.vertices[[0, 6, 42, 48]], torch.tensor([[0, 2, 3], [0, 3, 1]]))
        assert int((inside != coverage(outline, cam, 32)).sum()) <= 2  # rounding of the outline


def test_closed_mesh_has_no_holes() -> None:
    mesh = sphere(40, 60)
    # from inside a closed surface every pixel sees it
    cam = Camera.orbit(6, radius=0.3, elevation=[0.0, 50.0, -70.0], fov=90.0)
    assert bool(rasterize(mesh, cam, 96).mask.all())


@native_only
def test_vertices_on_pixel_centres_form_no_holes() -> None:
    # integer homogeneous coordinates: edges meet pixel centres exactly
    g = torch.Generator().manual_seed(0)
    n = 12
    grid = torch.stack(torch.meshgrid(torch.arange(n + 1), torch.arange(n + 1), indexing="xy"), -1)
    inner = torch.randint(-1, 2, (n - 1, n - 1, 2), generator=g)
    place = 4.0 * grid + 0.5
    place[1:-1, 1:-1] += inner
    z = torch.ones(n + 1, n + 1, 2)
    clip = torch.cat((place, z), -1).reshape(1, -1, 4)
    mesh = plane(n)
    count = torch.zeros(50, 50, dtype=torch.int64)
    for face in mesh.faces:
        count += rasterize_homogeneous(clip, face[None], clip.new_tensor([0.1]), (50, 50)).mask[0]
    assert torch.equal(count[:48, :48], torch.ones(48, 48, dtype=torch.int64))


# --- edge cases


@pytest.mark.parametrize("backend", BACKENDS)
def test_empty_mesh_gives_an_empty_image(backend: str) -> None:
    for vertices in (torch.zeros(0, 3), torch.randn(5, 3)):
        mesh = Mesh(vertices.requires_grad_(), torch.zeros(0, 3, dtype=torch.int64))
        out = rasterize(mesh, Camera.look_at((0, 0, 3)), (8, 9), backend=backend)
        assert out.face.shape == (8, 9) and bool((out.face == -1).all())
        assert out.barycentric.shape == (8, 9, 3) and not bool(out.depth.any())
        (out.depth.sum() + out.barycentric.sum()).backward()
        assert vertices.grad is not None and not bool(vertices.grad.any())


@pytest.mark.parametrize("backend", BACKENDS)
def test_not_finite_and_behind_are_skipped(backend: str) -> None:
    vertices = torch.tensor(
        [[-1.0, -1, 0], [1, -1, 0], [0, 1, 0], [0, 0, torch.nan], [0, torch.inf, 0], [0, 0, 9.0]]
    )
    faces = torch.tensor([[0, 1, 3], [0, 1, 4], [5, 5, 5], [0, 1, 2], [0, 0, 1]])
    cam = Camera.look_at((0, 0, 3))
    out = rasterize(Mesh(vertices, faces), cam, 32, backend=backend)
    assert set(out.face.unique().tolist()) == {-1, 3}
    behind = Mesh(vertices[:3] + torch.tensor([0, 0, 5.0]), faces[3:4])
    assert not bool(rasterize(behind, cam, 32, backend=backend).mask.any())


@pytest.mark.parametrize("backend", BACKENDS)
def test_near_plane_cuts_at_its_depth(backend: str) -> None:
    floor = Mesh(
        torch.tensor([[-50.0, -1, -50], [50, -1, -50], [50, -1, 50], [-50, -1, 50]]),
        torch.tensor([[0, 2, 1], [0, 3, 2]]),
    )
    cam = Camera.look_at((0, 0, 0), (0, 0, -1), fov=90.0, near=4.0)
    out = rasterize(floor, cam, 64, backend=backend)
    # at 90 degrees the row at depth d is 32 + 32 / d pixels down: below 40 nearer than 4
    assert bool(out.mask[33:39].all()) and not bool(out.mask[40:].any())
    assert not bool(out.mask[:32].any())
    assert bool((out.depth[out.mask] >= 4).all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_depth_goes_to_the_lower_index(backend: str) -> None:
    mesh = box()
    twice = Mesh(mesh.vertices, torch.cat((mesh.faces, mesh.faces)))
    out = rasterize(twice, Camera.look_at((1, 2, 3)), 32, backend=backend)
    assert int(out.face.max()) < 12


@native_only
def test_threads_do_not_change_the_result() -> None:
    mesh = sphere(40, 60)
    leaf = mesh.vertices.clone().requires_grad_()
    results = []
    threads = torch.get_num_threads()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            out = rasterize(mesh.with_vertices(leaf), Camera.orbit(2), 128)
            weight = torch.linspace(0, 1, out.depth.numel()).view_as(out.depth)
            loss = (out.depth * weight).sum() + (out.barycentric * weight[..., None]).sum()
            results.append((*out, torch.autograd.grad(loss, leaf)[0]))
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


# --- gradients


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("height", [None, 3.0])
def test_gradcheck(backend: str, height: float | None) -> None:
    mesh = sphere(4, 5, torch.float64)
    cam = Camera.look_at((0.4, 0.9, 3.0), height=height).to(torch.float64)
    face = rasterize(mesh, cam, 12).face

    def values(vertices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = rasterize(mesh.with_vertices(vertices), cam, 12, backend=backend)
        assert torch.equal(out.face, face)
        return out.barycentric, out.depth

    assert torch.autograd.gradcheck(values, mesh.vertices.clone().requires_grad_(), eps=1e-7)


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_native_gradient_equals_reference(dtype: torch.dtype) -> None:
    mesh = soup(100, 5, dtype)
    cam = Camera.look_at((0.1, 0.05, 0.2), (1, 0.2, 0.1), fov=100.0)
    grads = []
    for backend in ("native", "reference"):
        leaf = mesh.vertices.clone().requires_grad_()
        out = rasterize(mesh.with_vertices(leaf), cam, 40, backend=backend)
        (out.depth.sin().sum() + (out.barycentric**2).sum()).backward()
        grads.append(leaf.grad)
    scale = grads[1].abs().amax()
    tolerance = 1e-3 if dtype == torch.float32 else 1e-10
    assert float((grads[0] - grads[1]).abs().amax() / scale) < tolerance


@native_only
def test_opcheck() -> None:
    mesh = sphere(4, 5)
    clip = Camera.orbit(2).homogeneous(mesh.vertices, 16)
    near = clip.new_full((2,), 0.01)
    op = torch.ops.meshlearn
    torch.library.opcheck(op.rasterize, (clip, mesh.faces, near, None, 16, 12))
    face, bary, depth = op.rasterize(clip, mesh.faces, near, None, 16, 12)
    start = torch.bincount(mesh.faces.reshape(-1), minlength=clip.shape[1]).cumsum(0)
    start = torch.cat((start.new_zeros(1), start))
    order = torch.argsort(mesh.faces.reshape(-1), stable=True)
    torch.library.opcheck(
        op.rasterize_backward, (clip, mesh.faces, near, face, bary, depth, start, order)
    )


def test_interpolate_gradcheck_and_corner_attributes() -> None:
    mesh = sphere(4, 5, torch.float64)
    out = rasterize(mesh, Camera.look_at((0.4, 0.9, 3.0)).to(torch.float64), 10)
    g = torch.Generator().manual_seed(0)
    index = torch.randint(0, 7, mesh.faces.shape, generator=g)
    values = torch.randn(7, 2, generator=g, dtype=torch.float64, requires_grad=True)
    image = interpolate(values, out, index, background=-1.0)
    row, col = (int(t[0]) for t in torch.nonzero(out.mask, as_tuple=True))
    by_hand = (out.barycentric[row, col, :, None] * values[index[out.face[row, col]]]).sum(0)
    assert torch.allclose(image[row, col], by_hand)
    assert bool((image[~out.mask] == -1).all())
    assert torch.autograd.gradcheck(lambda v: interpolate(v, out, index), values)


def test_bad_input_is_one_sentence() -> None:
    mesh = box()
    cam = Camera.look_at((0, 0, 3))
    with pytest.raises(ValueError, match="size: expected a positive int"):
        rasterize(mesh, cam, 0)
    with pytest.raises(ValueError, match="backend: expected"):
        rasterize(mesh, cam, 8, backend="opengl")
