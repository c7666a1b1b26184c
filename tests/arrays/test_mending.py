"""Polygons made sound: each kind of damage by script, and what is left of it: nothing."""

import numpy as np
import pytest

from meshlearn.arrays.mending import Polygons, mend, split, turn_flat_edges
from meshlearn.arrays.report import report_of
from meshlearn.data.shapes import box, icosphere, torus


def of_triangles(vertices, faces):
    faces = np.asarray(faces, np.int64)
    return Polygons.of(
        np.asarray(vertices, np.float64), 3 * np.arange(len(faces) + 1), faces.reshape(-1)
    )


def report(polygons):
    corners, _ = polygons.triangles()
    return report_of(polygons.vertices, polygons.index[corners])


def arrays(mesh):
    return mesh.vertices.double().numpy().copy(), mesh.faces.numpy().copy()


def two_boxes(shift):
    """Two boxes that share an edge (shift (1, 1, 0)), a vertex (1, 1, 1) or nothing else."""
    vertices, faces = arrays(box((1, 1, 1)))
    both = np.concatenate([vertices, vertices + shift])
    near, place = np.unique(both, axis=0, return_inverse=True)
    return near, place[np.concatenate([faces, faces + len(vertices)])]


@pytest.mark.parametrize("shift", [(1, 1, 0), (1, 1, 1)])
def test_solids_that_touch_become_two(shift):
    made, counts = mend(of_triangles(*two_boxes(np.array(shift, float))))
    found = report(made)
    assert found.ok and found.facts["watertight"] and found.facts["components"] == 2
    assert found.facts["volume"] == pytest.approx(2.0)
    assert counts.vertices == (2 if shift[2] == 0 else 1) and counts.turned == 0


@pytest.mark.parametrize("way", [(0, 1), (1, 0)])
def test_a_fin_becomes_a_sheet_and_the_solid_stays_closed(way):
    vertices, faces = arrays(icosphere(1))
    a, b = faces[7][list(way)]
    fin = [a, b, len(vertices)]
    vertices = np.concatenate([vertices, [vertices[a] * 1.5]])
    made, counts = mend(of_triangles(vertices, [*faces.tolist(), fin]))
    found = report(made)
    assert found.ok and found.facts["components"] == 2 and counts.edges == 1
    assert found.counts["boundary_edges"] == 3  # those of the fin alone


def test_a_brim_all_around_is_a_sheet_however_straight_it_goes_on():
    """Two cones base to base, and a brim that goes on in the planes of one of them."""
    count = 8
    angle = 2 * np.pi * np.arange(count) / count
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    ends = np.array([[0, 0, 0.3], [0, 0, -0.3]])
    vertices = np.concatenate([rim, 2 * rim - ends[0], ends])
    a, b = np.arange(count), (np.arange(count) + 1) % count
    top, low = np.full(count, 2 * count), np.full(count, 2 * count + 1)
    faces = [[a, b, top], [b, a, low], [a, a + count, b], [b, a + count, b + count]]
    made, counts = mend(of_triangles(vertices, np.concatenate([np.stack(f, 1) for f in faces])))
    found = report(made)
    assert found.ok and found.facts["components"] == 2 and counts.edges == count
    assert found.counts["boundary_edges"] == 2 * count
    corners, owner = made.triangles()
    of_cones = made.face[owner] < 2 * count
    of_brim = set(made.index[corners[~of_cones]].reshape(-1).tolist())
    assert not of_brim & set(made.index[corners[of_cones]].reshape(-1).tolist())


def test_a_solid_that_touches_itself_keeps_its_wedges():
    """Five cubes in a ring that is open at one edge, where the first and the last meet."""
    filled = {(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 0)}
    vertices, faces = arrays(box((1, 1, 1)).translate((0.5, 0.5, 0.5)))
    corners, kept = [], []
    for cell in sorted(filled):
        for face in faces:
            at = vertices[face] + cell
            normal = np.round(np.cross(at[1] - at[0], at[2] - at[0])).astype(int)
            if tuple(np.array(cell) + normal) not in filled:
                kept.append(len(corners) + np.arange(3))
                corners += at.tolist()
    near, place = np.unique(np.array(corners), axis=0, return_inverse=True)
    made, counts = mend(of_triangles(near, place[np.array(kept)]))
    found = report(made)
    assert found.ok and found.facts["watertight"] and counts.edges == 1
    assert found.facts["volume"] == pytest.approx(5)
    triangles, _ = made.triangles()
    index = made.index[triangles]
    on_edge = (np.abs(made.vertices[:, :2] - 1) < 1e-9).all(1) & (made.vertices[:, 2] < 1.5)
    beside = [set(np.nonzero((index == v).any(1))[0]) for v in np.nonzero(on_edge)[0]]
    at = made.vertices[index]
    for one in beside:  # the faces at each copy of the edge's ends are those of one cube alone
        low = [f for f in one if at[f, :, 2].max() <= 1 and np.ptp(at[f, :, 2]) > 0]
        side = {bool((at[f, :, :2].mean(0) < 1).any()) for f in low}
        assert len(side) <= 1 or at[list(one), :, 2].max() > 1


def test_a_wall_between_two_rooms_leaves_the_straight_surface():
    vertices = np.array([[x, y, z] for x in (0, 1, 2) for y in (0, 1) for z in (0, 1)], float)
    walls = [[0, 1, 3, 2], [8, 10, 11, 9], [4, 5, 7, 6]]
    sides = [[0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    sides += [[v + 4 for v in side] for side in sides]
    polygons = walls + sides
    given = Polygons.of(vertices, 4 * np.arange(len(polygons) + 1), np.array(polygons).reshape(-1))
    made, counts = mend(given)
    assert counts.edges == 4 and (made.sizes == 4).all()
    found = report(made)
    assert found.ok and found.facts["components"] == 2
    assert found.counts["boundary_edges"] == 4 and found.facts["volume"] == pytest.approx(2.0)


def test_flat_triangles_leave_no_hole():
    vertices, faces = arrays(icosphere(2))
    rng = np.random.default_rng(3)
    for face in rng.choice(len(faces), 12, replace=False):
        a, b, c = faces[face]
        new = len(vertices)
        vertices = np.concatenate([vertices, [(vertices[a] + vertices[b]) / 2]])
        faces[face] = [a, new, c]
        faces = np.concatenate([faces, [[new, b, c], [a, b, new]]])
    given = of_triangles(vertices, faces)
    assert report(given).counts["degenerate_faces"] == 12
    made, counts = mend(given)
    found = report(made)
    assert found.ok and found.facts["watertight"] and counts.edges_turned == 12
    assert found.facts["volume"] == pytest.approx(report(given).facts["volume"], rel=1e-12)
    # the corners of a turned edge come from corners at the same vertices
    assert np.array_equal(faces.reshape(-1)[made.corner], made.vertex[made.index])
    assert turn_flat_edges(made)[1] == 0


def test_what_has_one_side_is_cut_open_once():
    n = 24
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    rows = []
    for t in turn:
        out = np.array([np.cos(t), np.sin(t), 0])
        across = np.cos(t / 2) * out + np.sin(t / 2) * np.array([0, 0, 1])
        rows += [2 * out - 0.4 * across, 2 * out + 0.4 * across]
    faces = []
    for i in range(n):
        a, b = 2 * i, 2 * i + 1
        c, d = (a + 2, b + 2) if i < n - 1 else (1, 0)
        faces += [[a, c, b], [b, c, d]]
    given = of_triangles(rows, faces)
    assert not report(given).ok
    made, counts = mend(given)
    found = report(made)
    assert found.ok and found.facts["components"] == 1 and counts.seams == 1
    assert found.facts["boundary_loops"] == 1 and len(made.face) == len(faces)


def test_sound_polygons_stay_as_they_are():
    vertices, faces = arrays(torus())
    made, counts = mend(of_triangles(vertices, faces))
    assert np.array_equal(made.index, faces.reshape(-1)) and not any(vars(counts).values())
    assert np.array_equal(split(of_triangles(vertices, faces))[0].index, faces.reshape(-1))


def test_only_polygons_at_an_error_are_cut():
    # a quadrilateral over the two sides of an edge that it also is the diagonal of
    vertices, faces = arrays(box((1, 1, 1)))
    del faces
    corner = {tuple((2 * v > 0).astype(int)): i for i, v in enumerate(vertices)}
    quads = [
        [(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 0)],
        [(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)],
        [(0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)],
    ]
    index = [corner[place] for quad in quads for place in quad]
    diagonal = [corner[0, 0, 0], corner[1, 1, 0], corner[0, 0, 1]]
    given = Polygons.of(vertices, np.array([0, 4, 8, 12, 15]), np.array(index + diagonal))
    made, counts = mend(given)
    assert report(made).ok and counts.cut <= 2 and (made.sizes == 4).sum() >= 1


KINDS = "flip repeat fin chord flat pinch hole".split()


def damaged(vertices, faces, rng, kinds):
    count = len(faces)
    if "flip" in kinds:
        turn = rng.random(count) < 0.2
        faces[turn] = faces[turn][:, [0, 2, 1]]
    if "repeat" in kinds:
        some = faces[rng.integers(0, count, 25)]
        faces = np.concatenate([faces, some[:20, [1, 2, 0]], some[20:, [1, 0, 2]]])
    for _ in range(10 * ("fin" in kinds)):
        a, b = rng.permutation(faces[rng.integers(count)][:2])
        vertices = np.concatenate([vertices, [1.5 * vertices[a] + 0.01 * rng.normal(size=3)]])
        faces = np.concatenate([faces, [[a, b, len(vertices) - 1]]])
    if "chord" in kinds:
        faces = np.concatenate([faces, rng.integers(0, len(vertices), (15, 3))])
    for _ in range(10 * ("flat" in kinds)):
        k = rng.integers(count)
        a, b, c = faces[k]
        new = len(vertices)
        vertices = np.concatenate([vertices, [(vertices[a] + vertices[b]) / 2]])
        faces[k] = [a, new, c]
        faces = np.concatenate([faces, [[new, b, c], [a, b, new]]])
    for _ in range(5 * ("pinch" in kinds)):
        a, b = rng.integers(0, len(vertices), 2)
        faces[faces == a] = b
    if "hole" in kinds:
        faces = faces[rng.random(len(faces)) > 0.03]
    return vertices, faces


@pytest.mark.parametrize("number", range(12))
def test_any_damage_is_mended(number):
    rng = np.random.default_rng(100 + number)
    kinds = [kind for kind in KINDS if rng.random() < 0.6]
    shape = (box(), icosphere(2), torus())[number % 3]
    vertices, faces = damaged(*arrays(shape), rng, kinds)
    given = of_triangles(vertices, faces)
    made, _ = mend(given)
    assert report(made).ok, (kinds, report(made).counts)
    assert np.array_equal(made.vertices, vertices[made.vertex])
    again, counts = mend(Polygons.of(made.vertices, made.start, made.index))
    assert np.array_equal(again.index, made.index) and not any(vars(counts).values())
