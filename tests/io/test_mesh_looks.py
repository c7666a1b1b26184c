"""Materials and textures in the learning mesh: from a file into it, through edits, out again."""

from __future__ import annotations

import dataclasses
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.io import CornerField, Document, Looks, Material, Part, Texture
from meshlearn.mesh import cat

GREY = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def png(color: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2), color).save(stream, format="PNG")
    return stream.getvalue()


RED, BLUE = png((255, 0, 0)), png((0, 0, 255))


def document(image: bytes = RED, name: str = "t.png") -> Document:
    """Two triangles, of a textured and of a plain material, with a seam between them."""
    part = Part.triangles(GREY, FACES)
    part.face_fields["material"] = np.array([0, 1], np.int32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0.25, 0], [0.5, 0.5], [0, 0.75]], np.float64)
    part.corner_fields["uv"] = CornerField(uv, np.arange(6))
    texture = Texture(name, scale=(2.0, 3.0), offset=(0.25, 0.5), wrap=("clamp", "clamp"))
    shown = Looks(base_color=(0.5, 0.25, 1.0), alpha=0.5, alpha_mode="BLEND", metallic=0.25)
    shown.roughness, shown.base_texture = 0.75, texture
    plain = Looks(base_color=(0.0, 1.0, 0.0), metallic=0.0)
    materials = [Material("shown", {}, shown), Material("plain", {}, plain)]
    return Document([part], materials, images={name: image})


def file(folder: Path, suffix: str, **options) -> Path:
    path = folder / f"a{suffix}"
    mio.save_document(document(**options), path)
    return path


def quiet(call, *args, **options):
    """What a call gives, which warns of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return call(*args, **options)


def corners(mesh: ml.Mesh, name: str = "uv") -> torch.Tensor:
    """(F, 3, D) values at the corners, of whichever domain."""
    if name in mesh.corner_attributes:
        return mesh.corner_attributes[name].dense()
    return mesh.vertex_attributes[name][mesh.faces]


def same_looks(a: ml.Mesh, b: ml.Mesh) -> None:
    """Each face shows the same, by what its material means and where its image is looked up; names
    of images do not matter."""
    labels = [mesh.face_attributes["material"].tolist() for mesh in (a, b)]
    for face, numbers in enumerate(zip(*labels, strict=True)):
        one, other = (m.materials[k] for m, k in zip((a, b), numbers, strict=True))
        x, y = one.appearance, other.appearance
        assert other.name.startswith(one.name)  # OBJ numbers those of one name
        assert x.base_color == pytest.approx(y.base_color) and x.metallic == y.metallic
        assert (x.base_texture is None) == (y.base_texture is None)
        if x.base_texture is not None:
            assert one.images[x.base_texture.image] == other.images[y.base_texture.image]
            assert x.base_texture.wrap == y.base_texture.wrap
            places = [
                torch.tensor(t.offset) + torch.tensor(t.scale) * corners(m)[face].float()
                for m, t in ((a, x.base_texture), (b, y.base_texture))
            ]
            assert torch.allclose(*places, atol=1e-6)


@pytest.mark.parametrize("suffix", [".glb", ".gltf", ".obj"])
@pytest.mark.parametrize("by_method", [False, True])
def test_load_and_save_keep_materials_and_textures(suffix, by_method, tmp_path):
    first = quiet(ml.load, file(tmp_path, suffix))
    assert [m.name for m in first.materials] == ["shown", "plain"]
    assert first.materials[0].images == {"t.png": RED} and not first.materials[1].images
    out = tmp_path / "elsewhere"
    out.mkdir()
    quiet(first.save if by_method else lambda path: ml.save(first, path), out / f"b{suffix}")
    second = quiet(ml.load, out / f"b{suffix}")
    same_looks(first, second)
    assert torch.allclose(corners(first), corners(second), atol=1e-6)


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_the_file_that_a_mesh_becomes_is_that_of_its_document(suffix, tmp_path):
    """Loading and saving changes no property of a material, also none without a word here."""
    path = file(tmp_path, suffix)
    ml.load(path).save(tmp_path / f"b{suffix}")
    before, after = (mio.load_document(tmp_path / f"{n}{suffix}") for n in "ab")
    assert [m.values for m in before.materials] == [m.values for m in after.materials]
    assert [m.looks for m in before.materials] == [m.looks for m in after.materials]
    assert before.images == after.images


def test_what_a_format_cannot_hold_is_warned_of_once(tmp_path):
    mesh = ml.load(file(tmp_path, ".obj"))
    with pytest.warns(UserWarning, match="materials.*textures.*uv") as told:
        report = ml.save(mesh, tmp_path / "b.stl")
    assert len(told) == 1
    assert {x.kind for x in report.items} >= {mio.LossKind.MATERIALS, mio.LossKind.TEXTURES}
    with pytest.warns(UserWarning, match="lost: materials"):
        mesh.save(tmp_path / "c.stl")
    bare = ml.Mesh(mesh.vertices, mesh.faces)
    quiet(ml.save, bare, tmp_path / "d.stl")  # shared vertices are no attribute


def test_an_image_that_is_not_there_is_warned_of(tmp_path):
    path = file(tmp_path, ".obj")
    (tmp_path / "t.png").unlink()
    with pytest.warns(UserWarning, match="t.png") as told:
        mesh = ml.load(path)
    assert len(told) == 1 and not mesh.materials[0].images
    quiet(ml.load, file(tmp_path, ".glb"))


def test_parts_with_and_without_looks_become_one_mesh(tmp_path):
    """What one part has and the other has not does not vanish from both."""
    scene = document()
    bare = Part.triangles(GREY + 2, FACES)
    tinted = Part.triangles(GREY + 4, FACES)
    tinted.vertex_fields["color"] = np.full((4, 3), 128, np.uint8)
    tinted.vertex_fields["uv"] = np.tile([[0.5, 0.25]], (4, 1))
    scene.parts += [bare, tinted]
    mesh = mio.to_mesh(scene)
    assert mesh.face_attributes["material"].tolist() == [0, 1, -1, -1, -1, -1]
    assert torch.equal(corners(mesh)[0], torch.tensor([[0.0, 0], [1, 0], [1, 1]]))
    assert not corners(mesh)[2:4].any()
    assert torch.equal(corners(mesh)[4], torch.tensor([[0.5, 0.25]] * 3))
    color = mesh.vertex_attributes["color"]
    assert color[:8].unique().tolist() == [255] and color[8:].unique().tolist() == [128]


def test_colours_of_different_kinds_become_one():
    scene = document()
    scene.parts = [Part.triangles(GREY, FACES) for _ in range(3)]
    scene.parts[0].vertex_fields["color"] = np.full((4, 4), 51, np.uint8)
    scene.parts[1].vertex_fields["color"] = np.full((4, 3), 0.4, np.float32)
    index = np.zeros(6, np.int64)
    scene.parts[2].corner_fields["color"] = CornerField(np.array([[102, 0, 255]], np.uint8), index)
    mesh = mio.to_mesh(scene)
    found = corners(mesh, "color")[:, 0]
    wanted = [[0.2] * 4] * 2 + [[0.4, 0.4, 0.4, 1]] * 2 + [[0.4, 0, 1, 1]] * 2
    assert torch.allclose(found, torch.tensor(wanted))


def test_corners_without_coordinates_keep_those_of_others(tmp_path):
    """An OBJ may give `vt` at some faces only."""
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0.25 0.5\nf 1/1 2/1 3/1\nf 1 3 4\n")
    found = corners(ml.load(path))
    assert found[0].tolist() == [[0.25, 0.5]] * 3 and not found[1].any()


def soup(mesh: ml.Mesh) -> ml.Mesh:
    """Each triangle with vertices of its own, which merging joins again."""
    index = mesh.faces.reshape(-1)
    return ml.Mesh(
        mesh.vertices[index],
        torch.arange(len(index)).view(-1, 3),
        vertex_attributes={k: v[index] for k, v in mesh.vertex_attributes.items()},
        face_attributes=mesh.face_attributes,
        corner_attributes=mesh.corner_attributes,
        materials=mesh.materials,
    )


EDITS = {
    "to": lambda m: m.to(torch.float64),
    "detach": lambda m: m.detach(),
    "with_vertices": lambda m: m.with_vertices(m.vertices + 1),
    "merge_vertices": lambda m: soup(m).merge_vertices().mesh,
    "merge by distance": lambda m: soup(m).merge_vertices(1e-6).mesh,
    "remove_unreferenced": lambda m: m.remove_unreferenced().mesh,
    "remove_degenerate": lambda m: m.remove_degenerate().mesh,
    "remove_duplicate_faces": lambda m: m.remove_duplicate_faces().mesh,
    "submesh": lambda m: m.submesh(torch.tensor([0, 1])).mesh,
    "flip twice": lambda m: m.flip().mesh.flip().mesh,
    "orient": lambda m: m.orient().mesh,
    "polygons and back": lambda m: ml.PolygonMesh.from_mesh(m).triangulate(),
    "polygons to": lambda m: ml.PolygonMesh.from_mesh(m).to(torch.float64).triangulate(),
    "batch": lambda m: ml.Meshes([m, m]).to(torch.float64)[1],
    "simplify that changes nothing": lambda m: ml.geometry.simplify(m, 10),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_carry_materials_and_textures(name):
    mesh = mio.to_mesh(document())
    edited = EDITS[name](mesh)
    same_looks(mesh, edited)
    assert torch.equal(corners(mesh), corners(edited).to(corners(mesh).dtype))


def test_some_faces_keep_their_own_material():
    mesh = mio.to_mesh(document())
    one = mesh.submesh(torch.tensor([1])).mesh
    assert one.face_attributes["material"].tolist() == [1] and one.materials == mesh.materials
    several = cat([mesh, mesh.with_vertices(mesh.vertices + 5)]).mesh
    for piece, label in zip(several.split(), (0, 2), strict=True):
        assert piece.mesh.face_attributes["material"].tolist() == [label, label + 1]
        assert piece.mesh.materials == several.materials


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_joined_meshes_keep_images_of_one_name_apart(suffix, tmp_path):
    red, blue = mio.to_mesh(document(RED)), mio.to_mesh(document(BLUE))
    both = cat([red, blue, red]).mesh
    quiet(both.save, tmp_path / f"a{suffix}")
    back = ml.load(tmp_path / f"a{suffix}")
    same_looks(both, back)
    assert sorted({d for m in back.materials for d in m.images.values()}) == sorted([RED, BLUE])


def test_an_absent_image_does_not_take_another_s(tmp_path):
    """A material whose image could not be read, joined to one whose image has that name."""
    absent = mio.to_mesh(document())
    absent.materials = tuple(dataclasses.replace(m, images={}) for m in absent.materials)
    for meshes in ([absent, mio.to_mesh(document(BLUE))], [mio.to_mesh(document(BLUE)), absent]):
        made = mio.from_mesh(cat(meshes).mesh)
        names = [m.looks.base_texture.image for m in made.materials if m.looks.base_texture]
        assert len(set(names)) == 2 and list(made.images.values()) == [BLUE]
        assert names[meshes.index(absent)] not in made.images


def test_a_material_of_one_s_own_is_written(tmp_path):
    """As the documentation says: a mesh with a texture that was made here."""
    looks = Looks(base_texture=Texture("paint.png"))
    material = Material("paint", looks=looks, images={"paint.png": RED})
    mesh = ml.Mesh(
        torch.from_numpy(GREY),
        torch.from_numpy(FACES),
        vertex_attributes={"uv": torch.from_numpy(GREY[:, :2].copy())},
        face_attributes={"material": torch.zeros(2, dtype=torch.int64)},
        materials=[material],
    )
    quiet(mesh.save, tmp_path / "a.glb")
    back = ml.load(tmp_path / "a.glb")
    assert back.materials[0].images == {"paint.png": RED}


def test_a_face_without_a_material_does_not_take_that_before_it(tmp_path):
    """In an OBJ a material holds until another is named."""
    scene = document()
    scene.parts[0].face_fields["material"] = np.array([0, -1], np.int32)
    scene.materials.append(Material("none", {}, Looks(base_color=(1.0, 0.0, 0.0))))
    mio.save_document(scene, tmp_path / "a.obj")
    mesh = ml.load(tmp_path / "a.obj")
    shown, bare = (mesh.materials[k] for k in mesh.face_attributes["material"].tolist())
    assert shown.name == "shown" and bare.name != "none" and not bare.appearance.said()


def test_glb_holds_every_set_of_coordinates_and_colours_of_corners(tmp_path):
    """Where some corners have none, the others keep theirs, and that is told."""
    scene = document()
    part = scene.parts[0]
    part.corner_fields["uv1"] = CornerField(np.arange(12.0).reshape(6, 2), np.arange(6))
    color = np.arange(18, dtype=np.uint8).reshape(6, 3)
    part.corner_fields["color"] = CornerField(color, np.array([0, 1, 2, -1, -1, -1]))
    part.corner_fields["uv"].index[3:] = -1
    report = mio.save_document(scene, tmp_path / "a.glb")
    absent = [(x.name, x.count) for x in report.items if x.kind is mio.LossKind.FIELD_ABSENCE]
    assert sorted(absent) == [("color", 3), ("uv", 3)]
    assert not any(x.kind is mio.LossKind.FIELD for x in report.items)
    mesh = ml.load(tmp_path / "a.glb")
    assert torch.equal(corners(mesh, "uv1").reshape(-1), torch.arange(12.0))
    assert torch.equal(corners(mesh)[0], torch.tensor([[0.0, 0], [1, 0], [1, 1]]))
    assert not corners(mesh)[1].any()
    shown = corners(mesh, "color")
    assert torch.equal(shown[0], torch.from_numpy(color[:3]))
    assert shown[1].unique().tolist() == [255]
