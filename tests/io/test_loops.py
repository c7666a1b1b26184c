"""Polygons whose corners go round one loop several times."""

import numpy as np
import pytest

from meshlearn import io as mio

BOX = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 2 0 0\nv 2 1 0\n"


def read(faces, more=""):
    return mio.read_document(bytearray((BOX + more + faces).encode()), "a.obj")


def area(document):
    mesh = mio.to_mesh(document, dtype=None)
    a, b, c = (mesh.vertices[mesh.faces[:, k]].numpy() for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize("times", [2, 3, 234])
@pytest.mark.parametrize("loop", ["1 2 3", "1 2 3 4", "1 2 5 6 3 4"])
def test_a_loop_gone_round_several_times_is_there_once(loop, times):
    """A line of 936 corners in assimp's tests gave 934 triangles one upon the other."""
    document = read(f"f 4 3 6\nf {' '.join([loop] * times)}\nf 1 2 3 4\n")
    (part,) = document.parts
    corners = [int(k) - 1 for k in loop.split()]
    assert part.polygon_index.tolist() == [3, 2, 5, *corners, 0, 1, 2, 3]
    assert part.polygon_start.tolist() == [0, 3, 3 + len(corners), 7 + len(corners)]
    once = read(f"f 4 3 6\nf {loop}\nf 1 2 3 4\n")
    assert area(document) == area(once) and once.remarks == []
    assert document.remarks == [
        "1 polygon goes round the same corners several times; they are read once"
    ]


def test_fields_of_faces_and_corners_go_along():
    more = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
    text = "g a\nf 1/1 2/2 3/3 1/1 2/2 3/3\ng b\nf 1/1 3/3 4/4\n"
    (part,) = read(text, more).parts
    assert part.corner_fields["uv"].index.tolist() == [0, 1, 2, 0, 2, 3]
    assert [part.groups[k] for k in part.face_fields["group"]] == ["a", "b"]


@pytest.mark.parametrize(
    "face",
    [
        "1 2 3 1 3 4",  # two triangles that share a corner
        "1 2 5 6 3 2 3 4",  # with a way in and out
        "1 2 1 2 1 2",  # no surface
        "1/1 2/2 3/3 1/3 2/2 3/1",  # with other coordinates the second time
    ],
)
def test_other_polygons_stay(face):
    document = read(f"f {face}\n", "vt 0 0\nvt 1 0\nvt 1 1\n")
    assert document.parts[0].sizes.tolist() == [len(face.split())] and document.remarks == []


def test_every_format_with_polygons_has_the_rule(tmp_path):
    text = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n6 0 1 2 0 1 2\n"
    document = mio.read_document(bytearray(text.encode()), "a.off")
    assert document.parts[0].polygon_index.tolist() == [0, 1, 2]
