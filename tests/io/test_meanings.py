"""What single numbers and words of files mean, by cases that can be written down."""

import warnings

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.geometry import simplification
from meshlearn.io import Document, LossKind, Part
from meshlearn.io.archive import Archive
from meshlearn.io.changes.repair import merge
from meshlearn.io.conversion import pipeline
from meshlearn.io.points import load_points
from tests.io.pieces import MESH3, threemf

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)


def test_a_pixel_of_vtk_is_a_quad_whose_rows_run_alike():
    text = (
        "# vtk DataFile Version 3.0\n\nASCII\nDATASET UNSTRUCTURED_GRID\nPOINTS 4 float\n"
        "0 0 0 1 0 0 0 1 0 1 1 0\nCELLS 1 5\n4 0 1 2 3\nCELL_TYPES 1\n8\n"
    )
    part = mio.read_document(bytearray(text.encode()), "a.vtk").parts[0]
    assert part.polygon_index.tolist() == [0, 1, 3, 2]


@pytest.mark.parametrize(
    ("word", "unit"),
    [
        ("micron", "um"),
        ("millimeter", "mm"),
        ("centimeter", "cm"),
        ("inch", "in"),
        ("foot", "ft"),
        ("meter", "m"),
    ],
)
def test_units_of_3mf(word, unit, tmp_path):
    data = threemf(f'<object id="1">{MESH3}</object>')
    model = mio.read_document(bytearray(data), "a.3mf")
    assert model.unit == "in"  # as the sample says
    model.unit = unit
    mio.save_document(model, tmp_path / "b.3mf")
    again = mio.load_document(tmp_path / "b.3mf")
    assert again.unit == unit
    text = Archive((tmp_path / "b.3mf").read_bytes()).read("3D/3dmodel.model").decode()
    assert f'unit="{word}"' in text


def test_normals_of_points_are_unit_vectors_up_to_a_tenth(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text("0 0 0 0 0 1.05\n1 0 0 0 0.95 0\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        normals = load_points(path).normals
    assert normals.tolist() == [[0, 0, 1], [0, 1, 0]]
    for length in (0.85, 1.15):  # colours, perhaps
        path.write_text(f"0 0 0 0 0 1\n1 0 0 0 {length} 0\n")
        with pytest.warns(UserWarning, match="not unit normals and were left out"):
            assert load_points(path).normals is None


@pytest.mark.parametrize(("gap", "left"), [(0.004, 2), (0.006, 3)])
def test_vertices_are_merged_by_the_distance_where_the_part_is_placed(gap, left):
    """A part that is placed ten times as large: 0.05 there is 0.005 in its own numbers."""
    vertices = np.array([[0, 0, 0], [gap, 0, 0], [1, 0, 0]])
    part = Part(vertices=vertices, transform=np.diag([10.0, 10.0, 10.0, 1.0]))
    merged = merge(Document([part]), 0.05).document.parts[0]
    assert len(merged.vertices) == left


@pytest.mark.parametrize(
    ("colour", "row"),
    [
        (np.array([255, 0, 128], np.uint8), b"0 0 0 255 0 128 255"),
        (np.array([1.0, 0.0, 0.5], np.float32), b"0 0 0 1 0 0.5 1"),
    ],
)
def test_colours_of_off_are_opaque_in_their_own_scale(colour, row, tmp_path):
    part = Part(vertices=np.zeros((1, 3), np.float32), vertex_fields={"color": colour[None]})
    mio.save_document(Document([part]), tmp_path / "a.off")
    assert (tmp_path / "a.off").read_bytes().splitlines()[2] == row


def test_simplification_shares_its_triangles_by_the_numbers_of_the_parts(monkeypatch):
    asked = []

    def simplify(mesh, wanted):
        asked.append((mesh.num_faces, wanted))
        return mesh

    monkeypatch.setattr(simplification, "simplify_quietly", simplify)
    fan = np.array([[0, 1, 2], [0, 2, 3]])
    parts = [Part.triangles(SQUARE, np.tile(fan, (n, 1))) for n in (10, 30)]
    changed = pipeline.simplify(Document(parts), 0.5)
    assert asked == [(20, 10), (60, 30)] and changed.document.parts == parts
    asked.clear()
    pipeline.simplify(Document(parts), 16)
    assert asked == [(20, 4), (60, 12)]


def test_fields_of_gltf_have_four_components_at_most():
    fields = {f"f{n}": np.zeros((4, n), np.float32) for n in (1, 4, 5)}
    document = Document([Part.triangles(SQUARE, np.array([[0, 1, 2]]), vertex_fields=fields)])
    (loss,) = mio.find_losses(document, "a.glb").items
    assert (loss.kind, loss.domain, loss.name, loss.count) == (LossKind.FIELD, "vertex", "f5", 4)
    assert loss.why == "glTF has fields of at most 4 components"
