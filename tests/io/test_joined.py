"""Several parts as one, number by number; and what the loss report counts of several parts."""

import os

import numpy as np
import pytest

from meshlearn import _files
from meshlearn import io as mio
from meshlearn.io import CornerField, Document, LossKind, Part
from meshlearn.io.changes.join import joined, mirrors
from meshlearn.io.conversion.pipeline import ConvertOptions, convert_file

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
MIRROR[:3, 3] = [10, 20, 30]


def square(**more) -> Part:
    """A quad and a triangle on four vertices."""
    return Part(
        vertices=SQUARE.copy(),
        polygon_start=np.array([0, 4, 7]),
        polygon_index=np.array([0, 1, 2, 3, 0, 1, 2]),
        **more,
    )


def two() -> Document:
    """Two parts with a field of every domain; the second is placed by a mirror."""
    uv = np.arange(14.0).reshape(7, 2)
    parts = []
    for number, transform in enumerate((None, MIRROR)):
        parts.append(
            square(
                name=f"p{number}",
                transform=transform,
                groups=[f"a{number}", f"b{number}"],
                vertex_fields={"heat": np.arange(4.0) + 10 * number},
                face_fields={"group": np.array([1, -1]), "ref": np.array([5, 6]) + number},
                corner_fields={
                    "uv": CornerField(uv + 100 * number, np.array([0, 1, 2, 3, -1, 5, 6]))
                },
                lines=[np.array([0, 2])],
                points=np.array([3]),
                cells={"tetra": np.array([[0, 1, 2, 3]])},
            )
        )
    return Document(parts)


def test_parts_are_joined_number_by_number():
    part = joined(two())
    assert np.array_equal(part.vertices[:4], SQUARE)
    assert np.array_equal(part.vertices[4:], SQUARE * [-1, 1, 1] + [10, 20, 30])
    assert part.polygon_start.tolist() == [0, 4, 7, 11, 14]
    # the mirrored polygons run the other way round, so that they keep their outside
    assert part.polygon_index.tolist() == [0, 1, 2, 3, 0, 1, 2, 7, 6, 5, 4, 6, 5, 4]
    assert part.vertex_fields["heat"].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    assert part.face_fields["ref"].tolist() == [5, 6, 6, 7]
    assert part.groups == ["a0", "b0", "a1", "b1"]
    assert part.face_fields["group"].tolist() == [1, -1, 3, -1]
    uv = part.corner_fields["uv"]
    assert uv.index.tolist() == [0, 1, 2, 3, -1, 5, 6, 10, 9, 8, 7, 13, 12, -1]
    assert uv.values[10].tolist() == [106, 107]
    assert [line.tolist() for line in part.lines] == [[0, 2], [4, 6]]
    assert part.points.tolist() == [3, 7]
    assert part.cells["tetra"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_one_part_that_is_not_placed_is_itself():
    part = square()
    assert joined(Document([part])) is part
    assert len(joined(Document()).vertices) == 0
    assert mirrors(MIRROR) and not mirrors(np.diag([-1.0, -1.0, 1.0, 1.0]))


def test_fields_that_not_all_parts_have_are_left_and_told():
    document = two()
    del document.parts[1].vertex_fields["heat"]
    assert "heat" not in joined(document).vertex_fields
    report = mio.find_losses(document, "a.ply")
    told = {(loss.kind, loss.domain, loss.name): loss for loss in report.items}
    heat = told[LossKind.FIELD, "vertex", "heat"]
    assert heat.count == 1 and heat.why == "PLY holds one part, and not all parts have it"
    told_of_all = {loss.kind for loss in mio.find_losses(two(), "a.ply").items}
    assert LossKind.FIELD not in told_of_all


def test_losses_of_several_parts_are_summed():
    report = mio.find_losses(two(), "a.stl")
    counts = {(loss.kind, loss.domain, loss.name): loss.count for loss in report.items}
    assert counts[LossKind.POLYGONS, "", ""] == 2
    assert counts[LossKind.SHARED_VERTICES, "", ""] == 6
    assert counts[LossKind.FIELD, "vertex", "heat"] == 8
    assert counts[LossKind.FIELD, "corner", "uv"] == 12
    assert counts[LossKind.GROUPS, "", ""] == 4
    assert counts[LossKind.CELLS, "", "tetra"] == 2
    assert counts[LossKind.PARTS, "", ""] == 2 and counts[LossKind.TRANSFORMS, "", ""] == 1
    assert {loss.holder for loss in report.items} == {"STL"}
    heat = next(loss for loss in report.items if loss.name == "heat")
    assert str(heat) == "vertex field 'heat' (8: STL has no fields of vertices)"
    assert heat.to_dict() == {
        "count": 8,
        "name": "vertex field 'heat'",
        "why": "STL has no fields of vertices",
    }
    assert report.listed == "; ".join(map(str, report.items)) == str(report)[len("lost: ") :]


@pytest.mark.parametrize(
    ("top", "kind"), [(2**31 - 1, "int"), (2**31, "uint"), (2**32 - 1, "uint"), (2**32, "double")]
)
def test_whole_numbers_take_the_smallest_type_of_ply_that_holds_them(top, kind, tmp_path):
    part = Part(vertices=SQUARE, vertex_fields={"id": np.array([0, 1, 2, top])})
    path = tmp_path / "a.ply"
    assert not mio.save_document(Document([part]), path)
    assert f"property {kind} id\n".encode() in path.read_bytes()
    assert mio.load_document(path).parts[0].vertex_fields["id"].tolist() == [0, 1, 2, top]


def test_what_the_user_says_of_the_frame_is_no_loss(tmp_path):
    source, target = tmp_path / "a.npz", tmp_path / "b.ply"
    mio.save_document(Document([square()], unit="mm", up="y"), source)

    def lost(**options) -> list[LossKind]:
        made = convert_file(source, target, ConvertOptions(overwrite=True, **options))
        return [loss.kind for loss in made.report.items]

    assert lost() == [LossKind.UP_AXIS_UNSAID, LossKind.UNIT_UNSAID]
    assert lost(unit="m") == [LossKind.UP_AXIS_UNSAID]
    assert lost(up="z") == [LossKind.UNIT_UNSAID]
    assert lost(unit="m", up="z") == []
    with pytest.raises(mio.FileFormatError, match=r"it would lose up axis 'y' \(1: PLY does not s"):
        convert_file(source, target, ConvertOptions(overwrite=True, strict=True, unit="m"))


@pytest.mark.skipif(os.name == "nt", reason="the system has no permissions of this kind")
def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path):
    before = os.umask(0o027)
    try:
        path = tmp_path / "a"
        _files.write_file(path, [b"one ", memoryview(b"two")])
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o604)
        _files.write_file(path, b"three")
        assert path.stat().st_mode & 0o777 == 0o604 and path.read_bytes() == b"three"
    finally:
        os.umask(before)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_the_opacity_of_an_mtl_goes_to_the_alpha_of_a_glb_and_back(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl glass\nKd 0.25 0.5 0.75\nd 0.5\n")
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl glass\nf 1 2 3\n"
    )
    mio.convert(tmp_path / "a.obj", tmp_path / "b.glb")
    (material,) = mio.load_document(tmp_path / "b.glb").materials
    assert material.name == "glass" and material.values["base_color"] == [0.25, 0.5, 0.75, 0.5]
    mio.convert(tmp_path / "b.glb", tmp_path / "c.obj")
    assert "Kd 0.25 0.5 0.75\nd 0.5\n" in (tmp_path / "c.mtl").read_text()
