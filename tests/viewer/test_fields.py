"""Fields, colours, what is read and simplified: without a browser."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from meshlearn.data import shapes
from meshlearn.io import Looks, load_document
from meshlearn.mesh import Mesh
from meshlearn.viewer.draw import Frame
from meshlearn.viewer.fields import (
    COLORMAPS,
    NOT_A_NUMBER,
    Field,
    colors_of,
    fields_of,
    legend,
    read_field,
)
from meshlearn.viewer.gather_items import gather, thin
from meshlearn.viewer.glb import smooth_normals, surface_glb
from meshlearn.viewer.items import item_of
from meshlearn.viewer.runs import Run, is_run


def test_fields_of_attributes_vectors_and_position():
    mesh = shapes.icosphere(1)
    speed = torch.rand(mesh.num_vertices, 3)
    mesh = Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes={"speed": speed, "color": speed},
        face_attributes={"part": torch.arange(mesh.num_faces)},
    )
    found = fields_of(mesh)
    np.testing.assert_allclose(found["speed"].values, speed.norm(dim=1), rtol=1e-6)
    assert found["part"].domain == "face" and "color" not in found
    np.testing.assert_array_equal(found["z"].values, mesh.vertices[:, 2].double())
    assert 0 < found["smallest angle"].range()[0] <= 60


def test_colours_run_from_end_to_end_and_grey_is_no_number():
    values = np.array([-5.0, 0.0, 1.0, 9.0, np.nan])
    for name, stops in COLORMAPS.items():
        got = colors_of(values, 0.0, 1.0, name)
        first, last = (bytes.fromhex(stops.split()[k]) for k in (0, -1))
        assert bytes(got[0]) == bytes(got[1]) == first
        assert bytes(got[2]) == bytes(got[3]) == last
        assert tuple(got[4]) == NOT_A_NUMBER
    assert len(set(map(tuple, colors_of(np.ones(4), 1.0, 1.0, "viridis")))) == 1


def test_the_legend_counts_and_escapes():
    text = legend(Field("<b>", "vertex", np.array([0.0, 1.0, np.nan])), 0.0, 1.0, "gray")
    assert "<b>&lt;b&gt;</b>" in text and "3 vertices, mean 0.5" in text
    assert "1 not a number" in text and text.count("<rect") == 49


def test_a_field_of_the_wrong_length_is_told(tmp_path):
    mesh = shapes.icosphere(1)
    np.save(tmp_path / "heat.npy", np.arange(mesh.num_faces))
    assert read_field(tmp_path / "heat.npy", mesh, "ball").domain == "face"
    np.save(tmp_path / "five.npy", np.arange(5))
    with pytest.raises(ValueError, match=r"it has 5 values, but ball has 42 vertices and 80 faces"):
        read_field(tmp_path / "five.npy", mesh, "ball")
    (tmp_path / "no.npy").write_text("hello")
    with pytest.raises(ValueError, match=r"expected a field as \.npy"):
        read_field(tmp_path / "no.npy", mesh, "ball")


def test_large_meshes_are_simplified_and_told():
    item = item_of("ball", shapes.icosphere(5))
    thin(item, 2000)
    assert 500 < item.mesh.num_faces <= 2000
    assert item.notes == [f"simplified from 20,480 to {item.mesh.num_faces:,} faces to be shown"]
    length = item.mesh.vertices[item.mesh.topology.referenced].norm(dim=1)
    assert 0.9 < float(length.min()) and float(length.max()) < 1.01
    small = item_of("ball", shapes.icosphere(1))
    thin(small, 2000)
    assert small.notes == [] and small.mesh.num_faces == 80


def test_far_from_the_origin_detail_is_kept():
    mesh = shapes.icosphere(2).to(torch.float64)
    far = item_of("far", mesh.with_vertices(mesh.vertices * 1e-3 + 1e6))
    frame = Frame.around([far])
    got = frame.into(far.mesh.vertices.numpy())
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1 / 3**0.5, rtol=1e-3)
    np.testing.assert_allclose(frame.back(got), far.mesh.vertices.numpy(), rtol=0, atol=1e-9)


def test_glb_holds_the_surface(tmp_path):
    mesh = shapes.icosphere(1)
    colors = np.tile(np.array([[255, 6, 128]], np.uint8), (mesh.num_faces, 1))
    data = surface_glb(mesh.vertices.numpy(), mesh.faces.numpy(), face_colors=colors, opacity=0.5)
    (tmp_path / "ball.glb").write_bytes(data)
    document = load_document(tmp_path / "ball.glb")
    (part,), (material,) = document.parts, document.materials
    corner = mesh.faces.reshape(-1)
    np.testing.assert_array_equal(part.vertices, mesh.vertices[corner])
    np.testing.assert_array_equal(part.polygon_index, np.arange(3 * mesh.num_faces))
    # linear light of 6 is on the straight part of sRGB, 6 / 255 / 12.92, and of 128 on the curve
    linear = np.round(65535 * np.array([1, 0.0018212, 0.2158605, 1])).astype("<u2").tobytes()
    assert data.count(linear) >= 3 * mesh.num_faces
    found = np.unique(part.vertex_fields["color"], axis=0)
    np.testing.assert_array_equal(found, [[255, 6, 128, 255]])
    np.testing.assert_allclose(part.vertex_fields["normal"], mesh.vertices[corner], atol=0.05)
    said = material.values["gltf"]
    assert said["alphaMode"] == "BLEND" and said["doubleSided"] is True
    assert said["pbrMetallicRoughness"]["baseColorFactor"] == [1.0, 1.0, 1.0, 0.5]


def test_glb_holds_a_texture_and_says_when_it_is_flat_and_opaque(tmp_path):
    square = shapes.plane()
    uv = square.vertices[:, :2].numpy() + 0.5
    picture = io.BytesIO()
    Image.new("RGB", (2, 2), (1, 2, 3)).save(picture, "PNG")
    data = surface_glb(
        square.vertices.numpy(), square.faces.numpy(), uv=uv, image=picture.getvalue(),
        smooth=False, looks=Looks(base_color=(0.5, 0.25, 1.0)),
    )  # fmt: skip
    (tmp_path / "square.glb").write_bytes(data)
    document = load_document(tmp_path / "square.glb")
    assert list(document.images.values()) == [picture.getvalue()]
    np.testing.assert_allclose(document.parts[0].vertex_fields["uv"], uv, atol=1e-6)
    assert "normal" not in document.parts[0].vertex_fields  # the page shades it flat
    said = document.materials[0].values["gltf"]
    assert "alphaMode" not in said
    assert said["pbrMetallicRoughness"]["baseColorFactor"] == [0.5, 0.25, 1.0, 1.0]


def test_smooth_normals_are_weighted_by_area():
    """Two faces at a right angle that share an edge, one four times as large."""
    v = np.array([[0, 0, 0], [1, 0, 0], [0, 4, 0], [0, 0, 1], [9, 9, 9]], np.float32)
    normals = smooth_normals(v, np.array([[0, 1, 2], [0, 3, 1]]))
    expected = np.array([0, 1, 4]) / 17**0.5
    np.testing.assert_allclose(normals[:2], [expected, expected], atol=1e-6)
    np.testing.assert_allclose(normals[2:4], [[0, 0, 1], [0, 1, 0]], atol=1e-6)
    np.testing.assert_allclose(normals[4], [0, 1, 0])  # of no face


def test_run_folders(tmp_path):
    assert not is_run(tmp_path)
    (tmp_path / "history.json").write_text('{"step": [1, 2], "loss": [1.0')  # half written
    run = Run(tmp_path)
    assert is_run(tmp_path) and run.history == {} and run.steps == []
    assert run.state.startswith("Nothing is written yet") and run.shape(3) is None
    (tmp_path / "history.json").write_text('{"step": [1, 2], "loss": [1.0, NaN], "d": [0.1]}')
    assert run.reload() and len(run.history["step"]) == 1
    with pytest.raises(ValueError, match="expected one run folder, got 2"):
        gather([tmp_path, tmp_path])


def test_curves_are_logarithms_and_begin_with_the_loss(tmp_path):
    history = {"step": [1, 2, 3], "chamfer": [10.0, 1.0, None], "loss": [1.0, 0.01, 0.0],
               "seconds": [1, 2, 3]}  # fmt: skip
    (tmp_path / "history.json").write_text(json.dumps(history))
    names, (steps, loss, chamfer) = Run(tmp_path).curves()
    assert names == ["loss", "chamfer"] and steps.tolist() == [1, 2, 3]
    np.testing.assert_allclose(loss, [0, -2, np.nan])  # none of 0
    np.testing.assert_allclose(chamfer, [1, 0, np.nan])


def test_a_fit_keeps_its_meshes(tmp_path):
    from meshlearn.reconstruct import fit, targets
    from meshlearn.representations import FlexiCubes

    target = targets.FromMesh(shapes.icosphere(2))

    def go(steps, **more):
        shape = FlexiCubes(8, bounds=target.bounds)
        return fit(shape, target, steps=steps, progress=False, **more)

    folder = tmp_path / "run"
    go(6, checkpoint=folder, snapshot_every=2)
    run = Run(folder)
    assert run.steps == [2, 4, 6] and len(run.history["loss"]) == 6
    assert run.target().mesh.num_faces == 320 and run.shape(4).has_faces
    go(2, checkpoint=folder, snapshot_every=2)  # another fit: the old steps are gone
    assert Run(folder).steps == [2]
