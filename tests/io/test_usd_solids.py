"""Solids that USD has without points of their own: closed, wound outwards, of the right size."""

import math

import numpy as np
import pytest

from meshlearn import io as mio
from tests.io.usd_files import usda

pytest.importorskip("pxr")

SOLIDS = {  # what is said of it, its volume, and its box
    "Cube": ("double size = 3", 27, [3, 3, 3]),
    "Sphere": ("double radius = 2", 4 / 3 * math.pi * 8, [4, 4, 4]),
    "Cylinder": ('double height = 5\nuniform token axis = "X"', 5 * math.pi, [5, 2, 2]),
    "Cone": ('double height = 3\nuniform token axis = "Y"', math.pi, [2, 3, 2]),
    "Capsule": ("double radius = 1\ndouble height = 3", math.pi * (3 + 4 / 3), [2, 2, 5]),
}


def load(folder, *bodies):
    (folder / "a.usda").write_text(usda("\n".join(bodies)))
    return mio.load_document(folder / "a.usda")


@pytest.mark.parametrize("kind", SOLIDS)
def test_volume_and_box(kind, tmp_path):
    said, volume, size = SOLIDS[kind]
    document = load(tmp_path, f'def {kind} "s" {{\n{said}\n}}')
    (part,) = document.parts
    assert document.remarks == [f"solids without points of their own were meshed: 1 {kind}"]
    x = part.vertices.astype(np.float64)
    np.testing.assert_allclose(x.max(0) - x.min(0), size, rtol=2e-3)
    found = 0.0
    for face in faces_of(part):
        for k in range(1, len(face) - 1):
            found += np.linalg.det(x[face[[0, k, k + 1]]]) / 6
    assert found == pytest.approx(volume, rel=6e-3)
    edges = [(a, b) for f in faces_of(part) for a, b in zip(f, np.roll(f, -1), strict=True)]
    assert sorted(edges) == sorted((b, a) for a, b in edges)


def faces_of(part):
    return np.split(part.polygon_index, part.polygon_start[1:-1])


@pytest.mark.parametrize(("axis", "normal"), [("X", [1, 0, 0]), ("Y", [0, 1, 0]), ("Z", [0, 0, 1])])
def test_a_plane_looks_along_its_axis(axis, normal, tmp_path):
    body = (
        f'def Plane "s" {{\ndouble width = 2\ndouble length = 3\nuniform token axis = "{axis}"\n}}'
    )
    x = load(tmp_path, body).parts[0]
    a, b, c, _ = x.vertices[x.polygon_index]
    assert np.cross(b - a, c - b).tolist() == (6 * np.array(normal)).tolist()


def test_many_in_a_small_file_are_read_up_to_a_limit(monkeypatch, tmp_path):
    """A line each is enough for them, however many points they have as meshes."""
    bodies = [f'def Sphere "s{k}" {{\n}}' for k in range(700)]
    assert len(load(tmp_path, *bodies).parts) == 700
    monkeypatch.setattr("meshlearn.io.formats.usd.read.MOST_MESHED", 699 * 1986)
    with pytest.raises(mio.FileFormatError, match="its solids have more than 1,388,214 vertices"):
        load(tmp_path, *bodies)
