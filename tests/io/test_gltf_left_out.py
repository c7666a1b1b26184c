"""Primitives of glTF that hold nothing, and indices that are too few, are told."""

import numpy as np
import pytest

from tests.io.gltf_scene import Scene


def told(scene, folder, nodes=({"mesh": 0},)):
    document = scene.read(folder, list(nodes), roots=list(range(len(nodes))))
    return document, {(loss.name, loss.count) for loss in document.left_out}


def test_primitives_without_positions(tmp_path):
    scene = Scene()
    scene.mesh()
    document, losses = told(scene, tmp_path)
    assert len(document.parts) == 1 and not losses
    bare = {"attributes": {"NORMAL": scene.add(np.eye(3))}}
    scene.json["meshes"][0]["primitives"] += [bare, {"attributes": {}}]
    document, losses = told(scene, tmp_path, [{"mesh": 0}, {"mesh": 0}])
    assert len(document.parts) == 2 and losses == {("primitives", 2)}


@pytest.mark.parametrize(
    ("mode", "index", "name", "count"),
    [
        (4, [0, 1, 2, 0, 1], "indices behind the last whole triangle", 2),
        (1, [0, 1, 2], "indices behind the last whole line", 1),
        (4, [0, 1, 2], "", 0),
        (5, [0, 1, 2, 0], "", 0),
        (3, [0, 1, 2], "", 0),
    ],
)
def test_indices_that_are_too_few_for_one_more(tmp_path, mode, index, name, count):
    scene = Scene()
    scene.mesh(primitive={"mode": mode, "indices": scene.add(index, "u2")})
    _, losses = told(scene, tmp_path, [{"mesh": 0}, {"mesh": 0}])
    assert losses == ({(name, count)} if count else set())
