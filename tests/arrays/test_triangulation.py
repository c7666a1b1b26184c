"""Triangles of polygons from plain arrays: as the operators cut them, compiled or not."""

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import io as mio
from meshlearn._compiled import HAS_COMPILED
from meshlearn.arrays import triangulation
from meshlearn.io.surface import one_surface, placed_triangles
from tests.io.samples import documents


def polygons(seed: int, kind: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Polygons of 0 to 9 corners, many of them crossing themselves, some flat, one not finite."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 10, 60)
    vertices = np.round(rng.normal(size=(40, 3)), 1).astype(kind)
    vertices[:10, 2] = 0
    if seed == 2:
        vertices[11, 1] = np.nan
    start = np.concatenate([[0], np.cumsum(sizes)])
    return vertices, start, rng.integers(0, 40, int(start[-1]))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("seed", [0, 1])
def test_triangles_are_those_of_the_polygon_mesh(seed, kind, monkeypatch):
    vertices, start, index = polygons(seed, kind)
    given = (torch.from_numpy(vertices), (torch.from_numpy(start), torch.from_numpy(index)))
    expected = ml.PolygonMesh(*given).triangulation()
    for compiled in (HAS_COMPILED, False):
        monkeypatch.setattr(triangulation, "HAS_COMPILED", compiled)
        corners, owner = triangulation.triangulate(vertices, start, index)
        assert corners.tolist() == expected.corner_map.tolist()
        assert owner.tolist() == expected.face_map.tolist()


def test_other_numbers_are_taken_as_double():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    for kind in (np.int32, np.float16, np.dtype(">f8"), np.dtype(">f4")):
        given = (square.astype(kind), np.array([0, 4], np.int32), np.arange(4, dtype=np.int32))
        assert triangulation.triangulate(*given)[0].tolist() == [[0, 1, 2], [0, 2, 3]]


@pytest.mark.parametrize("name", documents())
def test_the_surface_of_a_document_is_its_mesh(name):
    document = documents()[name]
    surface, mesh = one_surface(document), mio.to_mesh(document, dtype=None)
    assert np.array_equal(surface.vertices, mesh.vertices.numpy(), equal_nan=True)
    assert np.array_equal(surface.polygon_index.reshape(-1, 3), mesh.faces.numpy())
    for fields, attributes in (
        (surface.vertex_fields, mesh.vertex_attributes),
        (surface.face_fields, mesh.face_attributes),
    ):
        assert fields.keys() == attributes.keys()
        for key, values in fields.items():
            assert np.array_equal(
                values, attributes[key].numpy(), equal_nan=values.dtype.kind == "f"
            )
    assert surface.corner_fields.keys() == mesh.corner_attributes.keys()


def test_a_mirrored_part_keeps_its_outside():
    part = mio.from_mesh(ml.data.shapes.box()).parts[0]
    part.transform = np.diag([-2.0, 1, 1, 1])
    placed = placed_triangles(part)
    volume = float(mio.to_mesh(mio.Document([placed])).volume())
    assert volume == pytest.approx(2 * float(ml.data.shapes.box().volume())) and volume > 0
    assert placed.transform is None
