"""What the page is given of materials: images that a browser shows, where corners look them up,
opacity, colours times colours."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
import torch
from PIL import Image

import meshlearn as ml
from meshlearn.io import Looks, Material, Texture
from meshlearn.viewer.glb import surface_glb
from meshlearn.viewer.material_patches import patches_of

CORNERS = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (200, 20, 20)).save(stream, format=kind)
    return stream.getvalue()


def quad(looks: Looks | None, image: bytes | None = None, *, uv: str = "uv") -> ml.Mesh:
    return ml.Mesh(
        CORNERS,
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
        vertex_attributes={uv: CORNERS[:, :2].clone()},
        face_attributes={"material": torch.tensor([0, -1])},
        materials=[Material("m", {}, looks, {} if image is None else {"t": image})],
    )


def said(**more) -> dict:
    """The JSON of the surface that the page is sent."""
    points = CORNERS[:3].numpy()
    data = surface_glb(points, np.array([[0, 1, 2]]), **more)
    return json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TGA", "BMP", "TIFF"])
def test_images_become_such_as_a_browser_shows(kind):
    patches = patches_of(quad(Looks(base_texture=Texture("t")), picture(kind)))
    assert [len(p.faces) for p in patches] == [1, 1] and patches[0].image is None
    shown = Image.open(io.BytesIO(patches[1].image))
    assert shown.format == ("JPEG" if kind == "JPEG" else "PNG")
    assert np.abs(np.asarray(shown.convert("RGB"), int) - [200, 20, 20]).max() < 4
    if kind in ("PNG", "JPEG"):
        assert patches[1].image == picture(kind)


def test_corners_look_up_where_the_texture_is_placed():
    texture = Texture("t", uv=1, offset=(0.5, 0.25), scale=(2.0, 3.0), wrap=("clamp", "mirror"))
    patch = patches_of(quad(Looks(base_texture=texture), picture("PNG"), uv="uv1"))[1]
    assert patch.uv.tolist() == [[[0.5, 0.25], [2.5, 0.25], [2.5, 3.25]]]
    body = said(uv=patch.uv.reshape(-1, 2), image=patch.image, looks=patch.looks)
    assert body["samplers"][0] | {"wrapS": 33071, "wrapT": 33648} == body["samplers"][0]
    assert "extensionsUsed" not in body
    red = Looks(base_color=(1.0, 0.0, 0.0), base_texture=Texture("t"))
    none = patches_of(quad(red, picture("PNG"), uv="st"))[1]
    assert none.image is None and none.uv is None


def test_opacity_reaches_the_page():
    looks = Looks(base_color=(0.5, 0.25, 1.0), alpha=0.5, alpha_mode="MASK", alpha_cutoff=0.3)
    patch = patches_of(quad(looks))[1]
    material = said(looks=patch.looks)["materials"][0]
    assert (material["alphaMode"], material["alphaCutoff"]) == ("MASK", 0.3)
    assert material["pbrMetallicRoughness"]["baseColorFactor"] == [0.5, 0.25, 1, 0.5]
    faint = said(looks=patch.looks, opacity=0.5)["materials"][0]
    assert faint["alphaMode"] == "BLEND" and faint["doubleSided"]
    assert faint["pbrMetallicRoughness"]["baseColorFactor"][3] == 0.25


@pytest.mark.parametrize("form", ["grey", "alpha"])
@pytest.mark.parametrize("base", [True, False])
def test_opacity_of_an_image_of_its_own_reaches_the_page(form, base):
    """An OBJ's map_d: leaves on a card, grey where it has no opacity itself."""
    half = np.zeros((2, 2), np.uint8)
    half[:, 1] = 255
    table = half if form == "grey" else np.dstack([half * 0, half * 0, half * 0, half])
    stream = io.BytesIO()
    Image.fromarray(table).save(stream, format="PNG")
    looks = Looks(
        base_texture=Texture("t") if base else None, alpha_texture=Texture("d"), alpha_mode="MASK"
    )
    mesh = quad(looks, picture("PNG"))
    mesh.materials[0].images["d"] = stream.getvalue()
    patch = patches_of(mesh)[1]
    shown = np.asarray(Image.open(io.BytesIO(patch.image)), int)
    size = shown.shape[1]
    assert shown[:, 0, 3].tolist() == [0] * len(shown) and (shown[:, size - 1, 3] == 255).all()
    assert shown[0, 0, :3].tolist() == ([200, 20, 20] if base else [255, 255, 255])
    assert patch.uv is not None and patch.looks.alpha_mode == "MASK"


def test_colours_of_vertices_go_with_a_texture():
    colors = np.full((3, 3), 128, np.uint8)
    body = said(uv=np.zeros((3, 2)), image=picture("PNG"), vertex_colors=colors)
    assert {"COLOR_0", "TEXCOORD_0"} <= body["meshes"][0]["primitives"][0]["attributes"].keys()
    assert body["textures"]


def test_plain_materials_are_no_patches():
    for color in ((1.0, 1.0, 1.0), (0.8, 0.8, 0.8)):
        mesh = quad(Looks(base_color=color))
        mesh.face_attributes["material"][:] = 0
        assert patches_of(mesh) == []
    assert patches_of(quad(None)) == []
