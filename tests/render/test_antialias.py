"""Antialiasing: what it covers, what it leaves alone, and the gradient of silhouettes."""

import math

import pytest
import torch
from torch import Tensor

from meshlearn import Camera, Mesh, Meshes, rasterize
from meshlearn._native import HAS_NATIVE
from meshlearn.data.shapes import icosphere
from meshlearn.render import antialias
from meshlearn.render.antialias import _Blend, blend_reference, silhouettes_reference
from tests.render.shapes import box, plane, sphere
from tests.render.test_rasterize import soup

BACKENDS = ["reference", *(["native"] if HAS_NATIVE else [])]
native_only = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
FRONT = Camera.look_at((0, 0, 3), height=3.0)
SHAPES = {
    "sphere": lambda: sphere(12, 16, torch.float64),
    "box": lambda: box(dtype=torch.float64),
    "fine": lambda: sphere(80, 120, torch.float64),  # faces smaller than pixels
    "open": lambda: plane(5, torch.float64),
}


def arguments(mesh: Mesh, cam: Camera, size: int) -> tuple:
    out = rasterize(mesh, cam, size)
    clip = cam.homogeneous(mesh.vertices, size).reshape(-1, mesh.num_vertices, 4).contiguous()
    half = mesh.topology.edge_half_edges
    face, depth = (t.reshape(-1, size, size).contiguous() for t in (out.face, out.depth))
    near = clip.new_full((len(clip),), cam.near)
    return clip, mesh.faces, near, face, depth, half.index, half.start, half.order


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "cam",
    [
        Camera.look_at((0.3, 0.5, 3.0)),
        Camera.look_at((0.1, 0.05, 0.2), (1, 0.2, 0.1), fov=100.0),  # amidst the triangles
        Camera.look_at((0, 0, 3), height=2.2),
        Camera.orbit(3, elevation=[10.0, -40.0]),
    ],
    ids=["outside", "inside", "orthographic", "batch"],
)
def test_native_equals_reference(cam: Camera, dtype: torch.dtype) -> None:
    meshes = (soup(300, 1, dtype), sphere(20, 30, dtype), box(dtype=dtype), fin(dtype))
    found = 0
    for mesh in meshes:
        args = arguments(mesh, cam, 53)
        got = torch.ops.meshlearn.silhouettes(*args)
        assert torch.equal(got, silhouettes_reference(*args))
        found += len(got)
    assert found > 30


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "cam", [Camera.look_at((0.3, 0.5, 3.0)), Camera.orbit(3, elevation=[10.0, -40.0])]
)
def test_native_blends_as_the_reference(cam: Camera, channels: int, dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(0)
    for mesh in (soup(300, 1, dtype), sphere(20, 30, dtype), box(dtype=dtype), fin(dtype)):
        clip, faces, *rest = arguments(mesh, cam, 53)
        pairs = torch.ops.meshlearn.silhouettes(clip, faces, *rest)
        assert len(pairs) > 10
        for kind in (torch.float32, torch.float64):
            image = torch.rand(len(clip) * 53 * 53, channels, generator=g, dtype=kind)
            slope = torch.randn(image.shape, generator=g, dtype=kind)
            found = []
            for blend in (blend_reference, _Blend.apply):
                leaves = [t.clone().requires_grad_() for t in (image, clip)]
                out = blend(leaves[0], pairs, leaves[1], faces, (53, 53))
                out.backward(slope)
                found.append((out.detach(), *(leaf.grad for leaf in leaves)))
            (out, by_image, by_clip), (out1, by_image1, by_clip1) = found
            assert torch.equal(out, out1) and torch.equal(by_image, by_image1)
            least = torch.float32 if torch.float32 in (dtype, kind) else torch.float64
            tolerance = 1e-5 if least == torch.float32 else 1e-12
            assert float((by_clip - by_clip1).abs().max() / by_clip.abs().max()) < tolerance


def fin(dtype: torch.dtype) -> Mesh:
    """A square and a fin that stands on its middle line: an edge of three faces."""
    points = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0), (0, 0, 1.0)]
    faces = [(0, 1, 2), (0, 2, 3), (0, 2, 4)]
    return Mesh(torch.tensor(points, dtype=dtype), torch.tensor(faces))


# --- coverage


@pytest.mark.parametrize("backend", BACKENDS)
def test_straight_border_is_covered_exactly(backend: str) -> None:
    # a square of 3.3 by 2.6 pixels, its border through the middle of pixels
    points = torch.tensor([[2.2, 3.3], [5.5, 3.3], [5.5, 5.9], [2.2, 5.9]], dtype=torch.float64)
    place = torch.cat((points - 4, torch.zeros(4, 1, dtype=torch.float64)), 1)
    place[:, 1] *= -1
    mesh = Mesh(place, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    cam = Camera.look_at((0, 0, 3), height=8.0).to(torch.float64)
    out = rasterize(mesh, cam, 8)
    mask = antialias(out.mask.double(), out, mesh, cam, backend=backend)
    row = torch.tensor([0, 0, 0.8, 1, 1, 0.5, 0, 0], dtype=torch.float64)
    column = torch.tensor([0, 0, 0, 0.7, 1, 0.9, 0, 0], dtype=torch.float64)
    assert torch.allclose(mask[4], row, atol=1e-6)
    assert torch.allclose(mask[:, 4], column, atol=1e-6)


@pytest.mark.parametrize("name", SHAPES)
def test_coverage_is_nearer_the_truth(name: str) -> None:
    mesh, cam = SHAPES[name](), Camera.look_at((0.5, 0.7, 3.0)).to(torch.float64)
    out = rasterize(mesh, cam, 48)
    smooth = antialias(out.mask.double(), out, mesh, cam)
    truth = rasterize(mesh, cam, 48 * 16).mask.double().view(48, 16, 48, 16).mean((1, 3))
    before, after = ((m - truth).abs().sum() for m in (out.mask.double(), smooth))
    assert float(after) < 0.25 * float(before)
    assert float(smooth.min()) > -1e-9 and float(smooth.max()) < 1 + 1e-9


def test_inner_edges_and_seams_are_no_silhouettes() -> None:
    mesh = box()
    cam = Camera.look_at((0.5, 0.7, 3.0))
    out = rasterize(mesh, cam, 40)
    image = torch.rand(12, 3, generator=torch.Generator().manual_seed(0))[out.face.clamp(min=0)]
    smooth = antialias(image, out, mesh, cam)
    changed = (smooth != image).any(-1)
    assert bool(changed.any())
    mask = out.mask.float()[None, None]
    inner = (-torch.nn.functional.max_pool2d(-mask, 3, 1, 1))[0, 0] > 0
    assert not bool((changed & inner).any())  # colours of faces of a convex body stay apart


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_triangles_that_share_no_vertices_blend_as_welded_ones(backend: str) -> None:
    welded = icosphere(2)
    loose = Mesh(
        welded.vertices[welded.faces.reshape(-1)],
        torch.arange(3 * welded.num_faces).reshape(-1, 3),
    )
    cam = Camera.look_at((0.3, 0.4, 3))
    found = []
    for mesh in (welded, loose):
        vertices = mesh.vertices.clone().requires_grad_()
        mesh = mesh.with_vertices(vertices)
        fragments = rasterize(mesh, cam, 40)
        mask = antialias(fragments.mask.float(), fragments, mesh, cam, backend=backend)
        (mask * torch.linspace(0, 1, 40)).sum().backward()
        found.append((mask.detach(), vertices.grad))
    assert torch.equal(found[0][0], found[1][0])
    summed = torch.zeros_like(found[0][1]).index_add_(0, welded.faces.reshape(-1), found[1][1])
    torch.testing.assert_close(summed, found[0][1])
    hard = rasterize(loose, cam, 40).mask.float()
    assert int((found[1][0] != hard).sum()) > 50


def test_boundary_edges_are_silhouettes_inside_the_image_too() -> None:
    near = Mesh(plane(1).vertices * 0.4 + torch.tensor([0.03, 0.03, 0.5]), plane(1).faces)
    mesh = Mesh(
        torch.cat((plane(1).vertices, near.vertices)), torch.cat((plane(1).faces, near.faces + 4))
    )
    out = rasterize(mesh, FRONT, 32)
    assert bool(out.mask[10:22, 10:22].all())
    image = (out.face >= 2).float()
    smooth = antialias(image, out, mesh, FRONT)
    assert float(smooth.sum()) == pytest.approx((0.8 * 32 / 3) ** 2, rel=0.01)


# --- gradients


def moved(vertices: Tensor, kind: str, by: Tensor) -> Tensor:
    if kind == "scale":
        return vertices * (1 + by)
    if kind == "turn":
        c, s = torch.cos(by), torch.sin(by)
        x, y, z = vertices.unbind(1)
        return torch.stack((c * x - s * y, s * x + c * y, z), 1)
    return vertices + by * vertices.new_tensor([0.8, 0.6, 0.0])


@pytest.mark.parametrize("kind", ["scale", "turn", "shift"])
@pytest.mark.parametrize("name", SHAPES)
def test_silhouette_gradient_against_supersampled_coverage(name: str, kind: str) -> None:
    mesh, size, fine = SHAPES[name](), 64, 16
    cam = Camera.look_at((0.5, 0.4, 3.0)).to(torch.float64)
    if kind == "turn":  # so that a turn moves the outline
        mesh = mesh.with_vertices(mesh.vertices * mesh.vertices.new_tensor([1.0, 0.6, 1.0]))
    u = torch.linspace(-1, 1, size, dtype=torch.float64)
    weight = 0.6 + 0.3 * u[:, None] + 0.5 * u + u[:, None] * u  # of no symmetry

    def coverage(by: float) -> Tensor:
        shape = mesh.with_vertices(moved(mesh.vertices, kind, torch.tensor(by).double()))
        mask = rasterize(shape, cam, size * fine).mask.double()
        return (mask.view(size, fine, size, fine).mean((1, 3)) * weight).sum()

    step = 0.04
    want = float(coverage(step) - coverage(-step)) / (2 * step)
    got = []
    for offset in torch.linspace(-step, step, 33, dtype=torch.float64):  # mean over the same motion
        by = offset.clone().requires_grad_()
        shape = mesh.with_vertices(moved(mesh.vertices, kind, by))
        out = rasterize(shape, cam, size)
        mask = antialias(out.mask.double(), out, shape, cam)
        got.append(float(torch.autograd.grad((mask * weight).sum(), by)[0]))
    mean = (sum(got) - (got[0] + got[-1]) / 2) / 32
    assert abs(want) > 10
    assert mean == pytest.approx(want, rel=0.05)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("height", [None, 3.0])
def test_gradcheck(backend: str, height: float | None) -> None:
    mesh = sphere(4, 5, torch.float64)
    cam = Camera.look_at((0.4, 0.9, 3.0), height=height).to(torch.float64)
    out = rasterize(mesh, cam, 12)
    image = torch.rand(12, 12, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def values(vertices: Tensor, picture: Tensor) -> Tensor:
        shape = mesh.with_vertices(vertices)
        return antialias(picture, out, shape, cam, backend=backend)

    leaves = (mesh.vertices.clone().requires_grad_(), image.requires_grad_())
    assert torch.autograd.gradcheck(values, leaves, eps=1e-7, fast_mode=True)


@native_only
def test_opcheck() -> None:
    args = arguments(sphere(6, 8), Camera.orbit(2), 16)
    op = torch.ops.meshlearn
    torch.library.opcheck(op.silhouettes, args)
    image, scene = torch.rand(2 * 16 * 16, 3), (op.silhouettes(*args), *args[:2])
    torch.library.opcheck(op.silhouette_blend, (image, *scene, 16, 16))
    torch.library.opcheck(op.silhouette_blend_image, (image, *scene, 16, 16))
    torch.library.opcheck(op.silhouette_blend_clip, (image, image, *scene, 16, 16))


@native_only
def test_threads_do_not_change_the_result() -> None:
    mesh, results, threads = sphere(60, 80), [], torch.get_num_threads()
    leaf = mesh.vertices.clone().requires_grad_()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            shape = mesh.with_vertices(leaf)
            cams = Camera.orbit(3)
            out = rasterize(shape, cams, 96)
            image = torch.stack((out.mask.float(), out.depth), -1)
            smooth = antialias(image, out, shape, cams)
            results.append((smooth, torch.autograd.grad(smooth.sin().sum(), leaf)[0]))
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_pose_is_recovered_from_masks() -> None:
    mesh = box((-0.7, -0.4, -0.3), (0.7, 0.4, 0.3), torch.float64)
    cut = mesh.vertices[:, 0] > 0
    mesh = mesh.with_vertices(mesh.vertices * (1 - 0.4 * cut[:, None]))  # of no symmetry
    cams = Camera.orbit(4, elevation=[10.0, 50.0], radius=3.0).to(torch.float64)

    def turn(vector: Tensor) -> Tensor:
        zero = vector.new_zeros(())
        x, y, z = vector
        skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero)).view(3, 3)
        return torch.linalg.matrix_exp(skew)

    def masks(vector: Tensor) -> Tensor:
        shape = mesh.with_vertices(mesh.vertices @ turn(vector).T)
        out = rasterize(shape, cams, 64)
        return antialias(out.mask.double(), out, shape, cams)

    axis = torch.tensor([0.6, -0.64, 0.48], dtype=torch.float64)
    target = masks(torch.zeros(3, dtype=torch.float64))
    pose = (math.radians(20) * axis).requires_grad_()
    optimiser = torch.optim.Adam([pose], lr=0.03)
    for step in range(90):
        optimiser.param_groups[0]["lr"] = 0.03 * 0.95**step
        optimiser.zero_grad()
        (masks(pose) - target).square().mean().backward()
        optimiser.step()
    assert math.degrees(float(pose.detach().norm())) < 0.3


# --- edges


@pytest.mark.parametrize("backend", BACKENDS)
def test_empty_mesh_and_empty_view(backend: str) -> None:
    for vertices in (torch.zeros(0, 3), torch.randn(5, 3), torch.full((3, 3), torch.nan)):
        faces = torch.zeros(0, 3, dtype=torch.int64)
        if bool(vertices.isnan().any()):
            faces = torch.tensor([[0, 1, 2]])
        leaf = vertices.requires_grad_()
        mesh = Mesh(leaf, faces)
        out = rasterize(mesh, FRONT, (8, 9), backend=backend)
        image = antialias(out.mask.float() + 0 * out.depth, out, mesh, FRONT, backend=backend)
        image.sum().backward()
        assert not bool(image.any()) and leaf.grad is not None
        assert not bool(leaf.grad.any())


@pytest.mark.parametrize("backend", BACKENDS)
def test_vertices_not_finite_and_behind_give_finite_gradients(backend: str) -> None:
    mesh = sphere(8, 10)
    vertices = mesh.vertices.clone()
    vertices[5] = torch.nan
    vertices[17] = torch.inf
    vertices[30] = vertices[30] * 6  # past the camera plane
    leaf = vertices.requires_grad_()
    mesh = mesh.with_vertices(leaf)
    cam = Camera.look_at((0.2, 0.3, 2.0))
    out = rasterize(mesh, cam, 48, backend=backend)
    image = antialias(out.mask.float(), out, mesh, cam, backend=backend)
    (grad,) = torch.autograd.grad(image.square().sum(), leaf)
    assert bool(torch.isfinite(image).all()) and bool(image.any())
    assert bool(torch.isfinite(grad).all()) and bool(grad.any())


def test_batches_equal_single_ones() -> None:
    pair = Meshes([sphere(), box()])
    cams = Camera.orbit(3)
    out = rasterize(pair, cams, 32)
    image = torch.stack((out.mask.float(), out.depth), -1)
    smooth = antialias(image, out, pair, cams)
    for i, mesh in enumerate(pair):
        for j in range(3):
            alone = rasterize(mesh, cams[j], 32)
            one = antialias(image[i, j], alone, mesh, cams[j])
            assert torch.equal(smooth[i, j], one)


def test_bad_input_is_one_sentence() -> None:
    mesh = box()
    out = rasterize(mesh, FRONT, 8)
    with pytest.raises(ValueError, match="image: expected dtype float32"):
        antialias(out.mask, out, mesh, FRONT)
    with pytest.raises(ValueError, match=r"image: expected \(8, 8\)"):
        antialias(torch.zeros(9, 8), out, mesh, FRONT)
    with pytest.raises(ValueError, match="backend: expected"):
        antialias(torch.zeros(8, 8), out, mesh, FRONT, backend="opengl")
    with pytest.raises(ValueError, match="fragments: expected face"):
        antialias(torch.zeros(8, 8), out, mesh, Camera.orbit(2))
