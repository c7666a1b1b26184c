"""Changes of documents: attributes stay with their elements, polygons stay polygons."""

import re

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data import shapes
from meshlearn.geometry import subdivide
from meshlearn.io import CornerField, Document, FileFormatError, Material, Part, from_mesh, to_mesh
from meshlearn.io.changes.operations import select, set_precision, triangulate
from meshlearn.io.changes.placement import change_unit, change_up, scale
from meshlearn.io.changes.repair import merge, repair
from meshlearn.io.conversion.pipeline import ConvertOptions, simplify


def part_of(vertices, faces, **more) -> Part:
    start = np.concatenate([[0], np.cumsum([len(f) for f in faces])]).astype(np.int64)
    index = np.array([i for f in faces for i in f], np.int64)
    return Part(
        vertices=np.array(vertices, np.float64), polygon_start=start, polygon_index=index, **more
    )


CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64)
QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]


def cube(**more) -> Document:
    part = part_of(CUBE, QUADS, **more)
    part.vertex_fields["id"] = np.arange(8)
    part.face_fields["tag"] = np.arange(6) * 10
    part.corner_fields["uv"] = CornerField(np.random.default_rng(0).random((24, 2)), np.arange(24))
    return Document([part])


def faces(part: Part) -> list[list[int]]:
    pieces = np.split(part.polygon_index, part.polygon_start[1:-1])
    return [piece.tolist() for piece in pieces] if part.num_faces else []


def test_scale_moves_vertices_and_places_only():
    document = cube(transform=np.eye(4) + np.eye(4, k=3))
    changed, done, losses = scale(document, 2.5)
    part = changed.parts[0]
    assert np.array_equal(part.vertices, CUBE * 2.5) and "2.5" in done and not losses
    assert part.transform[0, 3] == 2.5 and part.transform[0, 0] == 1
    assert document.parts[0].vertices.max() == 1  # the old one is as it was
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="scale: expected a finite factor above 0"):
            scale(document, bad)


def test_unit_converts_what_is_known_and_names_what_is_not():
    inches = change_unit(cube(), "in:mm")
    assert inches.document.parts[0].vertices.max() == pytest.approx(25.4)
    named = change_unit(cube(), "cm")
    assert named.document.parts[0].vertices.max() == 1 and "called cm" in named.done
    again = change_unit(named.document, "m")
    assert again.document.parts[0].vertices.max() == pytest.approx(0.01)
    assert change_unit(again.document, "meters").done == ""
    with pytest.raises(ValueError, match="unit: expected one of um, mm"):
        change_unit(cube(), "parsec")


@pytest.mark.parametrize(
    ("unit", "millimetres"),
    [
        ("um", 0.001),
        ("cm", 10),
        ("dm", 100),
        ("m", 1000),
        ("km", 1e6),
        ("in", 25.4),
        ("ft", 12 * 25.4),
        ("yards", 3 * 12 * 25.4),
    ],
)
def test_units_of_length(unit, millimetres):
    """An inch is 25.4 mm, a foot twelve inches, a yard three feet; their names or signs."""
    changed = change_unit(cube(), f"{unit}:mm").document
    assert changed.parts[0].vertices.max() == pytest.approx(millimetres, rel=1e-12)
    back = change_unit(changed, unit).document
    assert back.parts[0].vertices.max() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("turn", "point"), [("y:z", [1, -3, 2]), ("z:y", [1, 3, -2]), ("x:z", [-3, 2, 1])]
)
def test_up_is_a_rotation_that_turns_normals_along(turn, point):
    document = Document([part_of([[1, 2, 3]], [])])
    part = document.parts[0]
    part.vertex_fields["normal"] = np.array([[0.6, 0, 0.8]])
    part.vertex_fields["heat"] = np.array([[1.0, 2.0, 3.0]])
    part.transform = np.eye(4)
    part.transform[:3, 3] = (1, 2, 3)
    changed = change_up(document, turn).document.parts[0]
    assert changed.vertices.tolist() == [point]
    assert changed.transform[:3, 3].tolist() == point
    assert changed.vertex_fields["heat"].tolist() == [[1, 2, 3]]
    back = turn[::-1]
    restored = change_up(Document([changed]), back).document.parts[0]
    assert np.array_equal(restored.vertices, part.vertices)
    assert np.array_equal(restored.vertex_fields["normal"], part.vertex_fields["normal"])
    source, target = ("xyz".index(c) for c in turn.split(":"))
    axis = change_up(Document([part_of([np.eye(3)[source]], [])]), turn).document.parts[0]
    assert axis.vertices[0].tolist() == np.eye(3)[target].tolist()


def test_up_takes_the_habit_of_the_format_and_says_so():
    changed = change_up(cube(), "z", format=".obj")
    assert "turned from y up to z up (y taken as up" in changed.done
    same = change_up(cube(), "z", format=".stl")
    assert np.array_equal(same.document.parts[0].vertices, CUBE)
    assert change_up(changed.document, "z", format=".obj").done == ""  # now it is stated


def test_triangulate_carries_fields():
    document = cube()
    part = triangulate(document).document.parts[0]
    assert part.num_faces == 12 and (part.sizes == 3).all()
    assert part.face_fields["tag"].tolist() == np.repeat(np.arange(6) * 10, 2).tolist()
    uv, old = part.corner_fields["uv"], document.parts[0]
    for corner, vertex in zip(uv.index.tolist(), part.polygon_index.tolist(), strict=True):
        assert old.polygon_index[corner] == vertex  # the values of that very corner
    concave = part_of([[0, 0, 0], [2, 0, 0], [0.5, 0.5, 0], [0, 2, 0]], [[0, 1, 2, 3], [0, 1]])
    cut = triangulate(Document([concave]))
    assert float(to_mesh(cut.document, dtype=None).area()) == pytest.approx(1.0)
    assert "1 faces of fewer than 3 corners removed" in cut.done


def test_precision():
    document = Document([part_of([[1 / 3, 12345.678, 0]], [])])
    document.parts[0].vertex_fields["heat"] = np.array([2 / 3])
    document.parts[0].vertex_fields["id"] = np.array([123456])
    rounded = set_precision(document, "4").document.parts[0]
    assert rounded.vertices.tolist() == [[0.3333, 12350.0, 0]]
    assert rounded.vertex_fields["heat"].tolist() == [0.6667]
    assert rounded.vertex_fields["id"].tolist() == [123456]
    single, done, _ = set_precision(document, "float32")
    assert single.parts[0].vertices.dtype == np.float32 and "move by up to" in done
    for bad in ("0", "18", "half", "-3", "1e3"):
        with pytest.raises(ValueError, match="precision: expected"):
            set_precision(document, bad)
    extreme = Document([part_of([[1e-310, 1e300, np.nan], [np.inf, -np.inf, 5e-324]], [])])
    kept = set_precision(extreme, "3").document.parts[0].vertices
    assert np.array_equal(np.isfinite(kept), np.isfinite(extreme.parts[0].vertices))
    assert kept[0, 1] == 1e300


def test_select_by_part_group_material_and_number():
    document = cube()
    part = document.parts[0]
    part.name, part.groups = "body", ["top", "side"]
    part.face_fields["group"] = np.array([0, 1, 1, 1, 1, 1])
    part.face_fields["material"] = np.array([0, 0, 0, 0, 0, 1])
    document.materials = [Material("red"), Material("größe")]
    document.parts.append(part_of(CUBE[:3], [[0, 1, 2]], name="lid"))
    assert [p.name for p in select(document, ["lid"]).document.parts] == ["lid"]
    assert [p.name for p in select(document, ["1"]).document.parts] == ["lid"]
    assert [p.name for p in select(document, ["lid", "body"]).document.parts] == ["body", "lid"]
    top = select(document, ["top"]).document.parts[0]
    assert top.num_faces == 1 and len(top.vertices) == 4
    assert top.vertex_fields["id"].tolist() == [0, 1, 2, 3] and faces(top) == [[0, 1, 3, 2]]
    assert top.corner_fields["uv"].index.tolist() == [0, 1, 2, 3]
    big = select(document, ["material:größe"])
    assert big.document.parts[0].face_fields["tag"].tolist() == [50] and "1 of 7" in big.done
    for bad, there in (("nothing", "body, lid"), ("9", "body"), ("material:top", "red, größe")):
        with pytest.raises(FileFormatError, match=f"select: there is no '{bad}'; expected {there}"):
            select(document, [bad])


def soup() -> Document:
    """A cube of quads with corners of their own: fields of corners as fields of vertices."""
    index = np.array(QUADS).reshape(-1)
    part = part_of(CUBE[index], np.arange(24).reshape(6, 4).tolist())
    normals = [[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]]
    part.vertex_fields["normal"] = np.repeat(np.array(normals, float), 4, axis=0)
    part.vertex_fields["id"] = index.copy()
    return Document([part])


def test_merge_keeps_polygons_and_seams():
    before = soup()
    changed = merge(before)
    part = changed.document.parts[0]
    assert (
        len(part.vertices) == 8 and (part.sizes == 4).all() and "16 vertices merged" in changed[1]
    )
    assert to_mesh(changed.document).is_watertight
    assert "normal" not in part.vertex_fields  # they differ at the edges
    corner = part.corner_fields["normal"]
    assert np.array_equal(corner.values[corner.index], before.parts[0].vertex_fields["normal"])
    assert np.array_equal(CUBE[part.vertex_fields["id"]], part.vertices)  # equal: stays of vertices


def test_merge_with_a_tolerance_removes_what_collapses():
    vertices = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1e-5], [0, 1, 0]]
    part = part_of(vertices, [[0, 1, 2, 3, 4], [1, 2, 3], [2, 2, 0]])
    part.face_fields["tag"] = np.array([7, 8, 9])
    part.lines, part.points = [np.array([0, 2, 3, 4])], np.array([3])
    changed = merge(Document([part]), 1e-4)
    after = changed.document.parts[0]
    assert faces(after) == [[0, 1, 2, 3], [2, 2, 0]]  # what was degenerate before is not touched
    assert after.face_fields["tag"].tolist() == [7, 9] and "1 collapsed" in changed.done
    assert after.lines[0].tolist() == [0, 2, 3] and after.points.tolist() == [2]
    assert len(merge(Document([part]), 0.0).document.parts[0].vertices) == 5
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="merge: expected a finite distance"):
            merge(Document([part]), bad)


def test_repair_says_each_step_and_leaves_holes():
    good = cube().parts[0]
    vertices = np.concatenate([CUBE, [[np.nan, 0, 0], [0, 0, 0], [9, 9, 9]]])
    turned = [list(reversed(QUADS[0])), *QUADS[1:5]]  # one side open
    wrong = [[0, 1, 8], [1, 3, 2, 0], [5, 5, 7], [4, 6, 6, 4]]
    part = part_of(vertices, turned + wrong)
    part.face_fields["tag"] = np.arange(9)
    changed = repair(Document([part]))
    after = changed.document.parts[0]
    mesh = to_mesh(changed.document, dtype=None)
    report = mesh.check()
    assert report.ok and report.facts["boundary_loops"] == 1 and len(after.vertices) == 8
    assert after.face_fields["tag"].tolist() == [0, 1, 2, 3, 4]
    for text in (
        "1 faces of vertices that are not finite removed",
        "1 vertices merged",
        "2 faces without area removed",
        "1 repeated faces removed",
        "1 faces turned",
        "2 unused vertices removed",
    ):
        assert text in changed.done, (text, changed.done)
    assert repair(Document([good])).done == "nothing to repair"


def test_repair_turns_a_closed_mesh_outward_and_keeps_polygons():
    inside_out = cube()
    part = inside_out.parts[0]
    part.polygon_index = np.array([list(reversed(f)) for f in faces(part)]).reshape(-1)
    changed = repair(inside_out)
    assert (changed.document.parts[0].sizes == 4).all() and "6 faces turned" in changed.done
    assert float(to_mesh(changed.document).volume()) == pytest.approx(1.0)


def test_simplify_carries_fields_and_tells_what_it_cannot():
    mesh = shapes.icosphere(4)
    document = from_mesh(mesh)
    part = document.parts[0]
    part.vertex_fields["x"] = part.vertices[:, 0].copy()
    part.face_fields["side"] = (part.vertices[part.polygon_index[::3], 2] > 0).astype(np.int64)
    part.corner_fields["uv"] = CornerField(part.vertices[:, :2], part.polygon_index)
    part.corner_fields["some"] = CornerField(
        np.zeros((1, 2)), np.arange(3 * mesh.num_faces) % 2 - 1
    )
    changed = simplify(document, 500)
    small = changed.document.parts[0]
    assert 450 <= small.num_faces <= 500 and "from 5,120 to" in changed.done
    assert [loss.what for loss in changed.losses] == ["corner field 'some'"]
    uv = small.corner_fields["uv"]
    assert np.abs(uv.values[uv.index] - small.vertices[small.polygon_index, :2]).max() < 0.05
    assert np.abs(small.vertex_fields["x"] - small.vertices[:, 0]).max() < 0.05
    centre = small.vertices[small.polygon_index].reshape(-1, 3, 3).mean(1)
    clear = np.abs(centre[:, 2]) > 0.2
    assert np.array_equal(small.face_fields["side"][clear] == 1, centre[clear, 2] > 0)
    assert simplify(document, 10_000).document.parts[0] is part
    assert simplify(document, 0.5).document.parts[0].num_faces == pytest.approx(2560, abs=2)


@pytest.mark.parametrize(
    "given",
    "scale=0 merge=-1 simplify=2.5 simplify=0 up=w unit=mm:cm:m precision=x".split(),
)
def test_options_are_checked_when_they_are_made(given):
    name, value = given.split("=")
    number = name in ("scale", "merge", "simplify")
    with pytest.raises(ValueError, match=f"{name}: expected"):
        ConvertOptions(**{name: float(value) if number else value})


def test_simplify_tells_where_more_are_left_and_why():
    box = subdivide(shapes.box((1.0, 1.0, 1.0)), 3, method="midpoint").mesh
    both = ml.mesh.cat([box, box.translate((1.0, 1.0, 0.0))]).mesh.merge_vertices().mesh
    made = simplify(from_mesh(both), 10)
    assert re.fullmatch(
        r"simplified from 1,536 to \d+ triangles, not 10: 9 of 763 vertices stay, .*", made.done
    )
    # each edge has four faces: nothing goes
    twice = Mesh(box.vertices, torch.cat([box.faces, box.faces]))
    assert simplify(from_mesh(twice), 10).done.startswith("not simplified: 1,536 triangles, not 10")
    # of two parts each is left its four faces
    balls = from_mesh(shapes.icosphere(2))
    two = Document([*balls.parts, *balls.parts])
    assert ", not" not in simplify(two, 200).done
