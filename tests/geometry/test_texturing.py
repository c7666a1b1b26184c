"""What a fine mesh shows as a texture of a coarse one."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import CornerAttribute, Mesh
from meshlearn.data.shapes import box, icosphere, plane
from meshlearn.geometry import bake, unwrap
from meshlearn.geometry.texturing import texels
from meshlearn.reconstruct.paint import textured
from tests.shared_data import shared_data


def sheet(segments=(4, 4)) -> Mesh:
    """The square [-1, 1]² at z = 0, with its place as texture coordinates."""
    flat = plane((2.0, 2.0), segments=segments)
    uv = (flat.vertices[:, :2] + 1) / 2
    flat.corner_attributes["uv"] = CornerAttribute(uv, flat.faces)
    return flat


def places(size: int) -> torch.Tensor:
    """(size, size, 2) x and y of the middles of texels of `sheet`."""
    at = (torch.arange(size) + 0.5) / size * 2 - 1
    return torch.stack((at.expand(size, size), at.flip(0)[:, None].expand(size, size)), 2)


def test_texels_lie_where_their_coordinates_say():
    mesh = sheet()
    part = texels(mesh, 32)
    assert bool(part.mask.all())
    at = (mesh.triangles.double()[part.face] * part.barycentric[..., None]).sum(2)
    assert (at[..., :2] - places(32)).abs().max() < 1e-6
    assert (part.barycentric.sum(2) - 1).abs().max() < 1e-12


def test_colours_and_attributes_come_from_the_fine_mesh():
    fine = sheet((30, 30)).translate((0, 0, 0.01))
    x, y, _ = fine.vertices.unbind(1)
    fine.vertex_attributes["color"] = torch.stack((x / 2 + 0.5, y / 2 + 0.5, 0 * x + 0.25), 1)
    fine.vertex_attributes["height"] = 3 * x - y
    fine.face_attributes["number"] = torch.arange(fine.num_faces)
    image = bake(fine, sheet(), size=64)
    want = places(64) / 2 + 0.5
    assert image.dtype == torch.float32 and image.shape == (64, 64, 3)
    assert (image[..., :2] - want).abs().max() < 1e-5 and (image[..., 2] - 0.25).abs().max() < 1e-6
    height = bake(fine, sheet(), "height", size=64)[..., 0]
    assert (height - 3 * places(64)[..., 0] + places(64)[..., 1]).abs().max() < 1e-5
    number = bake(fine, sheet(), "number", size=16)
    assert set(number.reshape(-1).tolist()) <= set(range(fine.num_faces))
    assert (bake(fine, sheet(), "distance", size=16) - 0.01).abs().max() < 1e-6
    assert (
        bake(fine.translate((0, 0, -0.03)), sheet(), "distance", size=16) + 0.02
    ).abs().max() < 1e-6


def test_rays_go_along_the_normal_and_no_further_than_they_reach():
    high = sheet((2, 2)).translate((0, 0, 0.5))
    high.vertex_attributes["mark"] = torch.ones(high.num_vertices)
    low = sheet((2, 2)).translate((0, 0, -0.2))
    low.vertex_attributes["mark"] = torch.zeros(low.num_vertices)
    both = ml.mesh.cat([high, low]).mesh
    assert not bake(both, sheet(), "mark", size=16, reach=1).any()
    assert not bake(both, sheet(), "mark", size=16, reach=0.01).any()  # none is hit: the nearest
    near = sheet((2, 2)).translate((0, 0, 0.6))
    assert bool(bake(both, near, "mark", size=16, reach=1).all())


def test_normals_and_the_sky():
    ball = icosphere(4)
    coarse = unwrap_or_skip(icosphere(1), 64)
    normal = bake(ball, coarse, "normal", size=64)
    known = texels(coarse, 64)
    at = (coarse.triangles.double()[known.face] * known.barycentric[..., None]).sum(2)
    along = (normal.double() * torch.nn.functional.normalize(at, dim=2)).sum(2)[known.mask]
    assert along.min() > 0.99
    assert bool(
        (bake(ball, coarse, "occlusion", size=16, rays=8)[texels(coarse, 16).mask] == 1).all()
    )
    # from the middle of the floor of a pit of width 2 a and depth h, a cosine-weighted sky
    h = 1.0
    walls = box((2.0, 2.0, h)).translate((0, 0, h / 2)).flip().mesh
    pit = walls.submesh(walls.face_normals()[:, 2].abs() < 0.5).mesh
    floor = sheet((2, 2))
    floor.corner_attributes = {}
    whole = ml.mesh.cat([Mesh(pit.vertices, pit.faces), Mesh(floor.vertices, floor.faces)]).mesh
    image = bake(whole, sheet((2, 2)), "occlusion", size=9, rays=2000)
    q = 1 / math.sqrt(1 + h * h)  # form factor of a square of half side 1 at height h
    want = 4 * 2 * (q * math.atan(q)) / (2 * math.pi)
    assert float(image[4, 4]) == pytest.approx(want, abs=0.01)
    assert float(image[0, 0]) < float(image[4, 4])


def unwrap_or_skip(mesh: Mesh, size: int) -> Mesh:
    pytest.importorskip("xatlas", reason="xatlas is not installed")
    return unwrap(mesh, size=size)


def test_margins_are_filled_from_the_charts():
    coarse = unwrap_or_skip(icosphere(1), 64)
    fine = icosphere(3)
    fine.vertex_attributes["one"] = torch.ones(fine.num_vertices)
    bare = bake(fine, coarse, "one", size=64, margin=0)[..., 0]
    wide = bake(fine, coarse, "one", size=64, margin=3)[..., 0]
    assert torch.equal(bare > 0, texels(coarse, 64).mask)
    grown = torch.nn.functional.max_pool2d(bare[None, None], 7, 1, 3)[0, 0]
    assert torch.allclose(wide, grown)


def test_a_texture_of_a_real_mesh_is_taken_over(tmp_path):
    pytest.importorskip("xatlas", reason="xatlas is not installed")
    fine = ml.load(shared_data("meshes", "Duck.glb"))
    coarse = unwrap(Mesh(fine.vertices, fine.faces), size=512)
    image = bake(fine, coarse, size=512)
    made = textured(coarse, image)
    made.save(tmp_path / "duck.glb")
    camera = ml.Camera.framing(*fine.bounds(), direction=(0.3, 0.2, 1.0))
    one, two = (ml.render(m, camera, 128)["color"] for m in (fine, ml.load(tmp_path / "duck.glb")))
    away = (one[..., :3] - two[..., :3]).abs().mean(2)
    assert float(away.mean()) < 0.02


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"coarse": icosphere(0)}, 'coarse: expected texture coordinates, an attribute "uv"'),
        ({"what": "heat"}, "what: expected one of color, .*, or an attribute of fine"),
        ({"size": 4}, "size: expected 8 to 16384"),
        ({"rays": 0}, "rays: expected 1"),
        ({"reach": 0}, "reach: expected a number above 0"),
        ({"fine": Mesh(torch.zeros(3, 3), [])}, "fine: expected at least one face"),
    ],
)
def test_bad_input_is_told(arguments, words):
    with pytest.raises(ValueError, match=words):
        bake(**{"fine": sheet(), "coarse": sheet(), **arguments})
