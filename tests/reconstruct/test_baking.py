"""A fine mesh as the material of a coarse one, in files too."""

import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data.shapes import icosphere
from meshlearn.geometry import MeshBVH
from meshlearn.geometry.texturing import texels
from meshlearn.mesh.tangents import from_tangent_space
from meshlearn.reconstruct.baking import baked

pytest.importorskip("xatlas", reason="xatlas is not installed")


@pytest.fixture(scope="module")
def fine() -> Mesh:
    """A ball with waves, coloured by place."""
    ball = icosphere(5)
    x, y, z = ball.vertices.unbind(1)
    radius = 1 + 0.02 * torch.sin(9 * x) * torch.sin(9 * y) * torch.sin(9 * z)
    color = (ball.vertices + 1) / 2
    return Mesh(ball.vertices * radius[:, None], ball.faces, vertex_attributes={"color": color})


@pytest.fixture(scope="module")
def made(fine) -> Mesh:
    return baked(fine, icosphere(2), ("color", "normal", "occlusion"), size=256, rays=8)


def picture(mesh: Mesh, name: str) -> torch.Tensor:
    data = mesh.materials[0].images[name]
    return torch.from_numpy(np.array(Image.open(io.BytesIO(data)).convert("RGB"))).double() / 255


def test_a_viewer_sees_the_fine_normals(fine, made, tmp_path):
    """Out of the file: normals, tangents and the map, mixed as glTF 2.0 says."""
    made.save(tmp_path / "made.glb")
    mesh = ml.load(tmp_path / "made.glb")
    looks = mesh.materials[0].looks
    said = picture(mesh, looks.normal_texture.image) * 2 - 1
    part = texels(mesh, 256)
    seen = part.mask
    face, weight = part.face[seen], part.barycentric[seen]

    def mix(values: torch.Tensor) -> torch.Tensor:
        return (values.double()[mesh.faces[face]] * weight[..., None]).sum(1)

    normal, tangent = mix(mesh.vertex_attributes["normal"]), mix(mesh.vertex_attributes["tangent"])
    side = mesh.vertex_attributes["tangent"][mesh.faces[face][:, 0], 3].double()
    assert set(side.tolist()) <= {1.0, -1.0}
    found = from_tangent_space(said[seen], normal, tangent[:, :3], side)
    _, near, where = MeshBVH(fine.to(torch.float64)).closest(mix(mesh.vertices))
    own = fine.vertex_normals().double()[fine.faces[near]]
    want = torch.nn.functional.normalize((own * where[..., None]).sum(1), dim=1)

    def degrees(a: torch.Tensor) -> float:
        a = torch.nn.functional.normalize(a, dim=1)
        return float(torch.rad2deg((a * want).sum(1).clamp(-1, 1).acos()).mean())

    assert degrees(found) < 0.15 * degrees(normal)
    assert degrees(found) < 1.0


def test_it_has_the_colours_and_one_material(fine, made):
    looks = made.materials[0].looks
    assert looks.base_texture and looks.normal_texture and looks.occlusion_texture
    assert (made.face_attributes["material"] == 0).all()
    assert not {"color"} & made.vertex_attributes.keys()
    assert torch.equal(made.vertices, icosphere(2).vertices)
    camera = ml.Camera.framing(*fine.bounds(), direction=(0.3, 0.2, 1.0))
    one, two = (ml.render(m, camera, 96)["color"] for m in (fine, made))
    assert (one[..., :3] - two[..., :3]).abs().mean() < 0.01
    sky = picture(made, looks.occlusion_texture.image)[texels(made, 256).mask]
    assert 0.5 < sky.mean() <= 1


def test_what_is_not_there_is_not_baked(fine):
    plain = Mesh(fine.vertices, fine.faces)
    found = baked(plain, icosphere(1), size=32)
    assert set(found.materials[0].images) == {"normal.png"}
    only = baked(fine, icosphere(1), ("color",), size=32)
    assert set(only.materials[0].images) == {"color.png"}
    assert "tangent" not in only.corner_attributes and "normal" not in only.corner_attributes
    with pytest.raises(ValueError, match=r"maps: expected some of color, .*, got 'albedo'"):
        baked(fine, icosphere(1), ("albedo",), size=32)
    with pytest.raises(ValueError, match=r"maps: .* got none"):
        baked(fine, icosphere(1), (), size=32)


def test_atlases_in_which_faces_lie_over_each_other_are_told(fine):
    folded = icosphere(1)
    folded.vertex_attributes["uv"] = (folded.vertices[:, :2] + 1) / 2
    with pytest.warns(UserWarning, match="coarse: faces share .* of the texture"):
        baked(fine, folded, ("color",), size=32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        baked(fine, ml.geometry.unwrap(icosphere(1), size=32), ("color",), size=32)
