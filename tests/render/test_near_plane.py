"""The near plane through oblique triangles, and what falls on an edge: against closed forms.

What is seen at a pixel follows from the ray through its centre alone: where it meets the triangle's
plane, whether that is within the triangle, and how deep it lies.
"""

from __future__ import annotations

import pytest
import torch

from meshlearn import Camera, Mesh, rasterize
from meshlearn._native import HAS_NATIVE
from meshlearn.render import peel
from meshlearn.render.fragments import Fragments
from meshlearn.render.rasterize import rasterize_homogeneous

BACKENDS = ["reference", *(["native"] if HAS_NATIVE else [])]
SIZE = (47, 61)
# Corners in camera space, y up and z backward; each triangle lies on both sides of the near plane.
OBLIQUE = {
    "one corner nearer": [(-1.5, -0.8, -1.2), (1.6, -0.9, -4.0), (0.3, 1.7, -3.1)],
    "two corners nearer": [(-1.1, -0.7, -1.3), (0.9, -0.4, -1.6), (0.2, 2.2, -5.0)],
    "a corner behind the camera": [(-0.9, -0.6, 0.8), (2.4, -1.1, -4.2), (-0.8, 1.9, -3.3)],
    "two corners behind the camera": [(-3.5, -1.9, 1.1), (3.0, 1.9, 0.4), (0.5, 1.2, -6.0)],
}
WINDINGS = {"seen from its front": [0, 1, 2], "seen from its back": [0, 2, 1]}
CAMERAS = {
    "perspective": Camera.look_at((0, 0, 0), (0, 0, -1), fov=70.0, near=2.0),
    "orthographic": Camera.look_at((0, 0, 0), (0, 0, -1), height=4.0, near=2.0),
}


def seen(corner: torch.Tensor, cam: Camera) -> Fragments:
    """What each pixel sees of one triangle (3, 3), by the ray through its centre, in double."""
    origin, ray = (t.double().expand(*SIZE, 3) for t in cam.rays(SIZE))
    a, b, c = corner.double()
    normal = torch.linalg.cross(b - a, c - a)
    along = ((a - origin) * normal).sum(-1) / (ray * normal).sum(-1)
    point = origin + along[..., None] * ray
    parts = [(q - p, point - p) for p, q in ((b, c), (c, a), (a, b))]
    weight = [
        (torch.linalg.cross(edge.expand_as(to), to) * normal).sum(-1) / (normal * normal).sum()
        for edge, to in parts
    ]
    barycentric = torch.stack(weight, -1)
    depth = -point[..., 2]
    there = (barycentric >= 0).all(-1) & (depth >= cam.near)
    return Fragments(
        torch.where(there, 0, -1), barycentric * there[..., None], torch.where(there, depth, 0.0)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("winding", WINDINGS)
@pytest.mark.parametrize("name", OBLIQUE)
@pytest.mark.parametrize("projection", CAMERAS)
def test_an_oblique_triangle_is_cut_at_the_depth_of_each_pixel(
    projection, name, winding, backend, dtype
) -> None:
    cam = CAMERAS[projection].to(dtype)
    corner = torch.tensor(OBLIQUE[name], dtype=dtype)[WINDINGS[winding]]
    got = rasterize(Mesh(corner, torch.tensor([[0, 1, 2]])), cam, SIZE, backend=backend)
    want = seen(corner, cam)
    # the plane cuts the triangle: parts of it that would be seen are nearer, others are not
    whole = seen(corner, Camera.look_at((0, 0, 0), (0, 0, -1), height=4.0, near=-9.0))
    if projection == "orthographic":
        assert 0 < int(want.mask.sum()) < int(whole.mask.sum())
    assert int(want.mask.sum()) > 50
    assert torch.equal(got.face, want.face)
    tolerance = 2e-5 if dtype == torch.float32 else 1e-11
    assert torch.allclose(got.barycentric.double(), want.barycentric, rtol=0, atol=tolerance)
    assert torch.allclose(got.depth.double(), want.depth, rtol=tolerance, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("projection", CAMERAS)
def test_what_lies_behind_a_cut_is_seen_through_it(projection, backend) -> None:
    """Of two triangles that cross the near plane and each other, the part cut away hides none."""
    cam = CAMERAS[projection].to(torch.float64)
    corners = [torch.tensor(OBLIQUE[name], dtype=torch.float64) for name in list(OBLIQUE)[:2]]
    corners[1] = corners[1][WINDINGS["seen from its back"]]
    mesh = Mesh(torch.cat(corners), torch.arange(6).view(2, 3))
    one, two = (seen(corner, cam) for corner in corners)
    depth = torch.stack([torch.where(f.mask, f.depth, torch.inf) for f in (one, two)])
    near, order = depth.sort(0)
    for layer, found in enumerate(peel(mesh, cam, SIZE, 2, backend=backend)):
        want = torch.where(torch.isfinite(near[layer]), order[layer], -1)
        assert len(want.unique()) == 3  # each is in front somewhere, and neither elsewhere
        assert torch.equal(found.face, want)
        assert torch.allclose(found.depth, near[layer].nan_to_num(posinf=0.0), rtol=1e-11, atol=0)


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
@pytest.mark.parametrize("projection", CAMERAS)
@pytest.mark.parametrize("name", OBLIQUE)
def test_gradients_through_the_near_plane_are_those_of_the_reference(name, projection) -> None:
    cam = CAMERAS[projection].to(torch.float64)
    found = []
    for backend in BACKENDS:
        leaf = torch.tensor(OBLIQUE[name], dtype=torch.float64).requires_grad_()
        out = rasterize(Mesh(leaf, torch.tensor([[0, 1, 2]])), cam, SIZE, backend=backend)
        (out.depth.sin().sum() + (out.barycentric**2).sum()).backward()
        found.append(leaf.grad)
    assert float(found[0].abs().max()) > 1
    assert torch.allclose(*found, rtol=1e-9, atol=1e-9)


def pixels_of(corners: list[tuple[float, float]], backend: str) -> set[tuple[int, int]]:
    """(x, y) of the pixels that a triangle in the image takes."""
    place = torch.tensor(corners, dtype=torch.float64)
    clip = torch.cat([place, torch.ones(3, 2, dtype=torch.float64)], 1)[None]
    faces, near = torch.tensor([[0, 1, 2]]), torch.zeros(1, dtype=torch.float64)
    out = rasterize_homogeneous(clip, faces, near, (6, 6), native=backend == "native")
    return {(int(x), int(y)) for y, x in out.mask[0].nonzero()}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("winding", WINDINGS)
def test_a_centre_on_an_edge_counts_as_a_little_to_the_right_and_less_down(winding, backend):
    """Corners on pixel centres: left and upper edges are in, right and lower ones are out."""
    turn = WINDINGS[winding]
    upper = [(0.5, 0.5), (4.5, 0.5), (0.5, 4.5)]
    lower = [(4.5, 0.5), (4.5, 4.5), (0.5, 4.5)]
    first, second = (pixels_of([t[k] for k in turn], backend) for t in (upper, lower))
    assert first == {(x, y) for x in range(4) for y in range(4) if x + y < 4}
    assert second == {(x, y) for x in range(4) for y in range(4) if x + y >= 4}
    # an edge that runs down to the right: a little to the right of it is above it
    above = [(0.5, 0.5), (4.5, 0.5), (4.5, 4.5)]
    assert pixels_of([above[k] for k in turn], backend) == {
        (x, y) for x in range(4) for y in range(4) if y <= x
    }
