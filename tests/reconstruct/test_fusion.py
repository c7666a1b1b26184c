"""Depth images fused: the operator against its reference, the surface, refusals."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

import meshlearn as ml
from meshlearn.reconstruct.fusion import fuse_images
from meshlearn.reconstruct.fusion.images import fuse_depth_reference
from meshlearn.reconstruct.fusion.pixels import lenses, near_blocks, points_box, surface_pixels
from meshlearn.render import Camera, ImageSet, render_images
from meshlearn.render.homogeneous import Projection, homogeneous_matrix


def ball(subdivisions: int = 4) -> ml.Mesh:
    made = trimesh.creation.icosphere(subdivisions=subdivisions)
    return ml.Mesh(torch.tensor(made.vertices, dtype=torch.float32), torch.tensor(made.faces))


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return render_images(ball(), 14, size=96, samples=1, progress=False)


def radii(mesh: ml.Mesh) -> torch.Tensor:
    return mesh.vertices.double().norm(dim=1)


def test_a_ball_is_closed_at_its_place_with_normals_outward(images):
    fused = fuse_images(images, resolution=48)
    mesh = fused.mesh()
    cell = max(fused.grid.spacing)
    assert mesh.is_watertight and mesh.is_consistently_oriented
    assert float(mesh.volume()) == pytest.approx(4 / 3 * np.pi, rel=5e-3)
    assert float((radii(mesh) - 1).abs().mean()) < 0.03 * cell
    assert float((radii(mesh) - 1).abs().max()) < 0.35 * cell
    known = fused.weights > 0
    assert bool(torch.isnan(fused.values[~known]).all())
    far = fused.grid.vertices[known].norm(dim=1) > 1 + 0.5 * cell
    assert bool((fused.values[known][far] > 0).all())
    assert float(fused.values[known].max()) <= 4 * cell * 1.0001


def test_distances_are_across_the_surface_not_along_the_axis():
    # one camera that looks at a plane at 60 degrees: along the axis they are twice as long
    cam = Camera.look_at([(0.0, 0.0, 4.0)], (0, 0, 0), fov=30.0)
    _, rays = cam[0].rays((64, 64))
    forward = torch.tensor([0.0, 0.0, -1.0])
    normal = torch.tensor([np.sin(np.pi / 3), 0.0, np.cos(np.pi / 3)], dtype=torch.float32)
    along = (torch.tensor([0.0, 0.0, 4.0]) @ normal) / -(rays @ normal)
    depth = (along * (rays @ forward))[None]
    fused = fuse_images(ImageSet(cam, depth=depth), resolution=32)
    known = (fused.weights > 0) & (fused.values.abs() < 2 * max(fused.grid.spacing))
    truth = fused.grid.vertices[known] @ normal
    assert int(known.sum()) > 500
    off = (fused.values[known] - truth).abs() / max(fused.grid.spacing)
    assert float(off.mean()) < 0.02 and float(off.max()) < 0.2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("colored", [True, False])
def test_operator_and_reference_agree(dtype, colored):
    generator = torch.Generator().manual_seed(3)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64).to(dtype)

    cam = Camera.orbit(5, radius=3.0).to(dtype)
    cams = replace(cam, focal=cam.focal, centre=cam.centre + 0.02)
    n, h, w = 5, 23, 31
    # surfaces that step, holes, and pixels that are not trusted
    depth = torch.where(random(n, h, w) > 0.2, 2.9 + 0.2 * random(n, h, w).round(decimals=1), 0.0)
    surface = torch.stack((0.3 + 0.7 * random(n, h, w), random(n, h, w) - 0.1), -1).contiguous()
    matrix = homogeneous_matrix(Projection(cams.view, cams.focal, cams.centre, False, h, w)).to(
        dtype
    )
    blocks = torch.randint(0, 6, (70, 3), generator=generator)
    space = ([-2.0, -2.0, -2.01], [1 / 6, 1 / 6, 0.17])
    colors = random(n, h, w, 3) if colored else None
    given = (blocks, *space, matrix.contiguous(), depth.contiguous(), surface, colors, 0.15)
    expected = fuse_depth_reference(*given)
    found = torch.ops.meshlearn.fuse_depth(*given)
    assert int((expected[1] > 0).sum()) > 1000
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        # a projection that rounds to the other side of a pixel's border is another pixel
        off = (a - b).abs() > 1e-4 * (1 + b.abs())
        assert float(off.float().mean() if off.numel() else 0) < (
            2e-3 if dtype == torch.float32 else 1e-9
        )


def test_results_do_not_depend_on_threads(images):
    before, out = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            fused = fuse_images(images, resolution=24)
            out.append((fused.values.nan_to_num(9), fused.weights))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*out, strict=True))


def test_colours_come_along(images):
    tinted = images.colors.clone()
    tinted[..., :3] = torch.tensor([0.9, 0.4, 0.1])
    mesh = fuse_images(replace(images, colors=tinted), resolution=24).mesh()
    color = mesh.vertex_attributes["color"]
    assert color.shape == (mesh.num_vertices, 3)
    assert torch.allclose(color, torch.tensor([0.9, 0.4, 0.1]).expand_as(color), atol=1e-4)


def test_what_nobody_saw_stays_open():
    cam = Camera.look_at([(0.0, 0.0, 4.0), (0.5, 0.0, 4.0)], (0, 0, 0), fov=40.0)
    seen = render_images(ball(), cam, size=96, samples=1, progress=False)
    mesh = fuse_images(seen, resolution=32).mesh()
    assert not mesh.is_watertight
    assert float(mesh.vertices[:, 2].min()) > -0.1  # nothing of the back
    assert float((radii(mesh) - 1).abs().mean()) < 0.01


def test_depth_that_is_nan_negative_or_beside_the_masks_is_left_aside(images):
    depth = images.depth.clone()
    depth[:, ::7, ::5] = torch.nan
    depth[:, 1::7, ::5] = -1.0
    beside = images.masks < 0.5
    depth[beside] = 2.0
    mesh = fuse_images(replace(images, depth=depth), resolution=32).mesh()
    assert mesh.num_faces > 1000
    assert float((radii(mesh) - 1).abs().max()) < 0.05


def test_strays_far_off_do_not_take_the_grid(images):
    depth = images.depth.clone()
    depth[0, 0, 0] = 900.0
    fused = fuse_images(replace(images, depth=depth, masks=None), resolution=32)
    assert max(fused.grid.spacing) < 0.2
    assert float((radii(fused.mesh()) - 1).abs().mean()) < 0.01


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_depth_in_another_unit_is_refused_with_the_factor(images, factor):
    wrong = replace(images, depth=images.depth * factor)
    with pytest.raises(ValueError, match=f"multiplied by {1 / factor:g}"):
        fuse_images(wrong, resolution=16)


def test_bad_input_is_told(images):
    with pytest.raises(ValueError, match="expected depth to fuse, got masks"):
        fuse_images(images.only(["masks"]))
    with pytest.raises(ValueError, match="no pixel has a depth"):
        fuse_images(replace(images, depth=torch.zeros_like(images.depth)))
    for options in ({"resolution": 1}, {"reach": 0.5}, {"backend": "cuda"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            fuse_images(images, **options)
    with pytest.raises(ValueError, match="expected an ImageSet"):
        fuse_images(images.depth)
    with pytest.raises(ValueError, match="takes depth images"):
        ml.reconstruct.reconstruct(ball(1), method="tsdf")
    with pytest.raises(ValueError, match="takes none"):
        ml.reconstruct.reconstruct(images, method="tsdf", steps=10)


def test_far_from_the_origin_it_is_the_same(images):
    shift = torch.tensor([5e5, 4e6, 0.0], dtype=torch.float64)
    near = ml.reconstruct.reconstruct(images, method="tsdf", resolution=24).mesh
    far = ml.reconstruct.reconstruct(images.moved(shift), method="tsdf", resolution=24).mesh
    assert far.vertices.dtype == torch.float64
    assert near.faces.shape == far.faces.shape
    apart = (far.vertices - shift - near.vertices).abs()
    # a corner that rounds to the other side of a pixel's border sees that pixel
    assert float(apart.mean()) < 1e-5 and float(apart.max()) < 5e-3


def test_depths_and_cameras_alone(images):
    shift = torch.tensor([5e5, 0.0, 0.0], dtype=torch.float64)
    mesh = ml.fuse_depth(images.depth, images.cameras, resolution=24)
    far = ml.fuse_depth(images.depth, images.moved(shift).cameras, resolution=24)
    assert float((radii(mesh) - 1).abs().mean()) < 0.01
    assert far.vertices.dtype == torch.float64 and far.faces.shape == mesh.faces.shape
    with pytest.raises(ValueError, match="one image a camera"):
        ml.fuse_depth(images.depth[:3], images.cameras)
    with pytest.raises(ValueError, match="masks: expected"):
        ml.fuse_depth(images.depth, images.cameras, masks=images.masks[:, :5])
    with pytest.raises(ValueError, match="batch of cameras"):
        ml.fuse_depth(images.depth, images.cameras[0])


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pixels_are_read_as_in_torch(orthographic, dtype):
    generator = torch.Generator().manual_seed(5)
    cam = Camera.orbit(3, radius=3.0).to(dtype)
    cam = replace(cam, centre=cam.centre + 0.03, orthographic=orthographic)
    depth = 2.5 + torch.rand(3, 37, 29, generator=generator, dtype=torch.float64).to(dtype)
    depth[torch.rand(depth.shape, generator=generator) < 0.4] = 0
    lens = lenses(cam, depth)
    found, expected = (
        surface_pixels(depth, lens, usual=3.0, native=native) for native in (True, False)
    )
    near = 1e-4 if dtype == torch.float32 else 1e-12
    # a weight is 0 below a cosine, which a pixel may have but for rounding
    off = (found - expected).abs() > near * (1 + expected.abs())
    assert float(off.double().mean()) < (1e-3 if dtype == torch.float32 else 1e-9)
    boxes = [points_box(depth, lens, native=native) for native in (True, False)]
    assert torch.allclose(*boxes, atol=10 * near)
    low, side, count = boxes[0][0] - 0.5, 0.21, [19, 15, 17]
    for margin, step in ((1.0, 1), (0.6, 2), (0.25, 3)):
        given = {"margin": margin, "step": step}
        a, b = (
            near_blocks(depth, lens, low, side, count, native=native, **given)
            for native in (True, False)
        )
        same = {tuple(k) for k in a.tolist()} ^ {tuple(k) for k in b.tolist()}
        assert len(a) > 100 and len(same) <= (0 if dtype == torch.float64 else 0.01 * len(a))


def test_the_reference_gives_the_same_surface(images):
    made = [fuse_images(images, resolution=20, backend=b).mesh() for b in ("native", "reference")]
    assert made[0].num_faces == made[1].num_faces
    apart = (made[0].vertices - made[1].vertices).abs()
    assert float(apart.mean()) < 1e-5 and float(apart.max()) < 5e-3


def test_a_single_row_and_a_single_pixel_are_images():
    for size in ((1, 40), (40, 1), (1, 1)):
        cam = Camera.look_at([(0.0, 0.0, 4.0)], (0, 0, 0), fov=30.0)
        depth = torch.full((1, *size), 4.0)
        assert fuse_images(ImageSet(cam, depth=depth), resolution=16).weights.max() > 0


def test_cameras_of_other_images_are_told(images):
    count = len(images)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(2))
    lopsided = ball()
    lopsided = lopsided.with_vertices(lopsided.vertices * torch.tensor([1.0, 0.3, 0.6]) + 0.2)
    seen = render_images(lopsided, images.cameras, size=96, samples=1, progress=False)
    seen = seen.only(["depth"])
    fuse_images(seen, resolution=64)  # no warning, which would be an error
    with pytest.raises(ValueError, match="look through it"):
        fuse_images(replace(seen, cameras=seen.cameras[order]), resolution=16)
    turned = seen.cameras.view.clone()
    turned[:, 1:3] *= -1  # they look away
    away = replace(seen, cameras=replace(seen.cameras, view=turned))
    with pytest.warns(RuntimeWarning, match="no image sees anything"):
        fuse_images(away, resolution=16)


def test_thin_walls_are_told_and_thick_ones_are_not():
    cams = Camera.orbit(14, radius=4.0)
    box = trimesh.creation.box((2.0, 2.0, 0.12)).subdivide_to_size(0.2)
    plate = ml.Mesh(torch.tensor(box.vertices).float(), torch.tensor(box.faces).long())
    seen = render_images(plate, cams, size=96, samples=1, progress=False)

    def half(mesh: ml.Mesh) -> float:
        middle = (mesh.vertices[:, :2].abs() < 0.8).all(1)
        return float(mesh.vertices[middle, 2].abs().median())

    with pytest.warns(RuntimeWarning, match="thinner than 0.3.*take more cells"):
        thick = fuse_images(seen, resolution=32).mesh()
    assert half(thick) > 0.07
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thin = fuse_images(seen, resolution=160).mesh()
    assert half(thin) == pytest.approx(0.06, rel=0.05)
