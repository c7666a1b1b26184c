"""`convert --remove-enclosed`: parts within parts go, and everything else is as it was."""

import numpy as np
import pytest

from meshlearn.cli import main
from meshlearn.io import CornerField, Document, FileFormatError, Part, load_document, save_document
from meshlearn.io.changes.enclosed import remove_enclosed

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64) - 0.5
QUADS = np.array([0, 1, 3, 2, 4, 6, 7, 5, 0, 4, 5, 1, 2, 3, 7, 6, 0, 2, 6, 4, 1, 5, 7, 3])


def cube(name: str, size: float, **more) -> Part:
    part = Part(name, CUBE * size, np.arange(0, 25, 4), QUADS.copy(), **more)
    part.vertex_fields["id"] = np.arange(8)
    part.face_fields["tag"] = np.arange(6) * 10
    part.corner_fields["uv"] = CornerField(np.random.default_rng(0).random((24, 2)), np.arange(24))
    return part


def test_a_part_inside_another_goes_whole_and_is_named():
    document = Document([cube("engine", 1), cube("body", 4), cube("wheel", 1, transform=moved(5))])
    changed, done, losses = remove_enclosed(document)
    assert [part.name for part in changed.parts] == ["body", "wheel"] and not losses
    assert changed.parts[0] is document.parts[1] and changed.parts[1] is document.parts[2]
    assert done == "6 of 18 faces removed, which no ray from outside reaches, 'engine' whole"


def moved(x: float, scale: float = 1.0) -> np.ndarray:
    matrix = np.diag([scale, scale, scale, 1.0])
    matrix[0, 3] = x
    return matrix


def test_parts_are_looked_at_where_they_are_placed():
    grown = Document([cube("a", 1), cube("b", 1, transform=moved(0, 3))])
    assert [part.name for part in remove_enclosed(grown).document.parts] == ["b"]
    apart = Document([cube("a", 1), cube("b", 4, transform=moved(4e6))])
    made = remove_enclosed(apart)
    assert made.document is apart and made.done.startswith("no enclosed faces")


def test_polygons_and_fields_of_what_stays_are_as_they_were():
    inner, outer = cube("", 1), cube("", 4)
    both = Part(
        "both",
        np.concatenate([inner.vertices, outer.vertices, [[9.0, 9, 9], [0, 0, 0]]]),
        np.arange(0, 49, 4),
        np.concatenate([QUADS, QUADS + 8]),
    )
    both.vertex_fields["id"] = np.arange(18)
    both.face_fields["tag"] = np.arange(12)
    both.corner_fields["uv"] = CornerField(np.random.default_rng(1).random((48, 2)), np.arange(48))
    both.lines = [np.array([0, 16])]  # from a corner of the inner cube to a loose vertex
    (made,) = remove_enclosed(Document([both])).document.parts
    assert made.vertex_fields["id"].tolist() == [0, *range(8, 18)]  # 17: nothing ever used it
    assert made.face_fields["tag"].tolist() == list(range(6, 12))
    assert made.corner_fields["uv"].index.tolist() == list(range(24, 48))
    assert (made.sizes == 4).all() and made.lines[0].tolist() == [0, 9]
    corners = both.vertices[both.polygon_index[24:]]
    assert np.array_equal(made.vertices[made.polygon_index], corners)


def test_what_cannot_be_looked_at_is_refused_with_a_mend_that_works():
    part = cube("", 1)
    part.vertices[0] = np.nan
    with pytest.raises(FileFormatError, match=r"finite corners of faces.*--repair"):
        remove_enclosed(Document([part, cube("", 0.2)]))
    points = Document([Part(vertices=CUBE, points=np.arange(8))])
    assert remove_enclosed(points).document is points


def test_convert_does_it_after_repair_and_says_so(tmp_path, capsys):
    body = cube("body", 4)
    body.vertices = np.concatenate([body.vertices, [[np.nan] * 3]])
    body.vertex_fields["id"] = np.arange(9)
    body.polygon_index = np.append(body.polygon_index, [0, 1, 8])
    body.polygon_start = np.append(body.polygon_start, 27)
    body.face_fields["tag"] = np.arange(7)
    del body.corner_fields["uv"]
    inside, out = tmp_path / "in.obj", tmp_path / "out.ply"
    save_document(Document([body, cube("engine", 1)]), inside)
    with pytest.raises(SystemExit) as end:
        main(["convert", str(inside), str(out), "--remove-enclosed"])
    assert end.value.code == 1 and not out.exists()
    with pytest.raises(SystemExit) as end:
        main(["convert", str(inside), str(out), "--repair", "--remove-enclosed"])
    said = "".join(capsys.readouterr())
    assert not end.value.code, said
    assert "6 of 12 faces removed" in said and "'engine' whole" in said
    (part,) = load_document(out).parts
    assert part.num_faces == 6 and len(part.vertices) == 8
