"""Volume cells as a surface: the sides that one cell alone has, outward, fields along."""

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io.changes.skin import SIDES, outer_skin
from meshlearn.io.document import Document, Part
from tests.io.cells import ONE, UNIT, blocks


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", SIDES)
def test_a_cell_is_closed_and_faces_outward_whichever_way_it_counts(kind, turned):
    corners, volume = ONE[kind]
    order = np.arange(len(corners))
    if turned:  # mirrored: the same corners from the other side
        corners = corners * [1, 1, -1]
    mesh = mio.to_mesh(Document([Part(vertices=corners, cells={kind: order[None]})]))
    assert mesh.is_watertight and mesh.topology.euler_number == 2
    assert float(mesh.volume()) == pytest.approx(volume)


def test_shared_sides_and_inner_vertices_are_gone_and_fields_go_along():
    skin = outer_skin(blocks(3))
    assert skin.num_faces == 6 * 9 and len(skin.vertices) == 56  # of 64, 8 inside
    assert (skin.sizes == 4).all() and not skin.cells
    assert np.array_equal(skin.vertex_fields["heat"], skin.vertices.sum(1))
    middle = skin.vertices[skin.polygon_index.reshape(-1, 4)].mean(1)
    inward = np.clip(np.floor(middle - 1e-9 * (middle - 1.5)), 0, 2) * [9, 3, 1]
    assert np.array_equal(skin.face_fields["number"], inward.sum(1))
    mesh = mio.to_mesh(Document([blocks(3)]))
    assert float(mesh.volume()) == pytest.approx(27) and mesh.is_watertight


def test_kinds_meet_and_collapsed_cells_have_fewer_sides():
    top = [[0.5, 0.5, 2]]
    part = Part(
        vertices=np.concatenate([UNIT, top]),
        cells={"hexahedron": np.arange(8)[None], "pyramid": np.array([[4, 5, 6, 7, 8]])},
        cell_fields={"kept": {"hexahedron": np.array([1]), "pyramid": np.array([2])}},
    )
    skin = outer_skin(part)
    assert skin.num_faces == 5 + 4 and skin.face_fields["kept"].tolist() == [1] * 5 + [2] * 4
    wedge = Part(vertices=UNIT, cells={"hexahedron": np.array([[0, 1, 2, 2, 4, 5, 6, 6]])})
    mesh = mio.to_mesh(Document([wedge]))
    assert mesh.is_watertight and float(mesh.volume()) == pytest.approx(0.5)
    assert sorted(outer_skin(wedge).sizes.tolist()) == [3, 3, 4, 4, 4]


def test_faces_that_are_there_stay_the_surface():
    part = blocks(2)
    part.take_triangles(np.array([[0, 1, 3]]))
    assert mio.to_mesh(Document([part])).num_faces == 1


def test_corners_without_a_place_are_no_crash():
    part = blocks(2)
    part.vertices[0] = np.nan
    assert outer_skin(part).num_faces == 24
