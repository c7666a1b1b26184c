"""Normals and tangents turn with their part, in every format without transforms."""

from __future__ import annotations

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import CornerField, Document, Part
from meshlearn.io.placed import placed_part

CORNERS = np.array([[0, 0, 0], [1, 0, 0.5], [0, 1, 0.25]], np.float32)
ACROSS = np.cross(CORNERS[1] - CORNERS[0], CORNERS[2] - CORNERS[0])
ACROSS /= np.linalg.norm(ACROSS)


def matrices() -> dict[str, np.ndarray]:
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    out = {"turn": turn, "stretch": np.diag([1, 2, 5.0]), "mirror": turn @ np.diag([1, 1, -2.0])}
    out["shear"] = np.array([[1, 0.5, 0], [0, 1, 0.25], [0, 0, 1]])
    return {
        name: np.block([[m, np.array([[7], [8], [9]])], [np.zeros((1, 3)), 1]])
        for name, m in out.items()
    }


def part(matrix: np.ndarray, by_corner: bool) -> Part:
    made = Part.triangles(CORNERS, np.array([[0, 1, 2]]), transform=matrix)
    if by_corner:
        made.corner_fields["normal"] = CornerField(ACROSS[None], np.zeros(3, np.int64))
    else:
        made.vertex_fields["normal"] = np.tile(ACROSS, (3, 1)).astype(np.float32)
    return made


@pytest.mark.parametrize("by_corner", [False, True])
@pytest.mark.parametrize("suffix", [".obj", ".ply", ".vtk", ".npz", ".glb"])
@pytest.mark.parametrize("name", ["turn", "stretch", "mirror", "shear"])
def test_normals_stand_on_the_placed_surface(tmp_path, name, suffix, by_corner):
    path = tmp_path / f"a{suffix}"
    mio.save_document(Document([part(matrices()[name], by_corner)]), path)
    made, _ = placed_part(mio.load_document(path).parts[0])
    if "normal" in made.corner_fields:
        normal = made.corner_fields["normal"].values
    elif "normal" in made.vertex_fields:
        normal = made.vertex_fields["normal"]
    else:
        pytest.skip("the format has no such normals")
    a, b, c = made.vertices[made.polygon_index]
    across = np.cross(b - a, c - a)
    across /= np.linalg.norm(across)
    if name == "mirror" and suffix in (".npz", ".glb"):  # kept as written, with its transform
        across = -across
    assert np.allclose(np.abs(normal @ across), 1, atol=1e-5)
    assert np.allclose(normal @ across, 1, atol=1e-5)


def test_joined_meshes_have_turned_normals(tmp_path):
    document = Document([part(matrices()["turn"], False), part(np.eye(4), False)])
    mio.save_document(document, tmp_path / "a.glb")
    mesh = mio.load(tmp_path / "a.glb")
    normal = mesh.vertex_attributes["normal"].numpy()
    a, b, c = (mesh.vertices[mesh.faces][:, k].numpy() for k in range(3))
    across = np.cross(b - a, c - a)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    assert np.allclose((normal[[0, 3]] * across).sum(1), 1, atol=1e-5)


def test_tangents_go_with_the_surface_and_change_sides_in_a_mirror():
    given = Part.triangles(CORNERS, np.array([[0, 1, 2]]), transform=np.diag([-2.0, 1, 1, 1]))
    given.vertex_fields["tangent"] = np.array([[3, 0, 0, 1]] * 3, np.float32)
    made, mirrored = placed_part(given)
    assert mirrored and np.array_equal(made.vertex_fields["tangent"], [[-3, 0, 0, -1]] * 3)
    assert given.vertex_fields["tangent"][0, 0] == 3
