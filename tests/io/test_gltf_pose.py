"""glTF meshes as they stand: morph targets, skins, copies, and required extensions of looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import FileFormatError
from tests.io.gltf_scene import TRIANGLE, Scene


def placed(document) -> list[np.ndarray]:
    """Vertices of each part in the scene."""
    out = []
    for part in document.parts:
        matrix = np.eye(4) if part.transform is None else part.transform
        out.append(part.vertices @ matrix[:3, :3].T + matrix[:3, 3])
    return out


@pytest.mark.parametrize(
    ("of_mesh", "of_node", "height"), [(1.0, None, 1), (0, 0.5, 0.5), (1, 0, 0)]
)
def test_morph_targets_by_their_default_weights(tmp_path, of_mesh, of_node, height):
    """Those of the node come before those of the mesh."""
    scene = Scene()
    by = np.zeros((3, 3))
    by[2] = 0, 0, 1
    turn = np.array([[1, 0, -1]] * 3)
    normal = scene.add([[0, 0, 1]] * 3)
    targets = [{"POSITION": scene.add(by), "NORMAL": scene.add(turn)}]
    scene.mesh({"weights": [of_mesh]}, {"targets": targets}, NORMAL=normal)
    node = {"mesh": 0} | ({} if of_node is None else {"weights": [of_node]})
    document = scene.read(tmp_path, [node])
    (part,) = document.parts
    wanted = TRIANGLE.copy()
    wanted[2, 2] = height
    assert np.array_equal(part.vertices, wanted)
    length = np.linalg.norm(part.vertex_fields["normal"], axis=1)
    assert np.allclose(length, 1)
    assert bool(document.remarks) == (height > 0)
    assert document.metadata["morph targets"] == 1


def test_without_weights_the_base_shape_stands(tmp_path):
    scene = Scene()
    scene.mesh(None, {"targets": [{"POSITION": scene.add(np.ones((3, 3)))}]})
    document = scene.read(tmp_path, [{"mesh": 0}])
    (part,) = document.parts
    assert np.array_equal(part.vertices, TRIANGLE)
    report = mio.save_document(document, tmp_path / "b.glb")
    assert [(x.kind, x.name) for x in report.items] == [(mio.LossKind.METADATA, "morph targets")]


def test_meshes_outside_the_scene_are_told(tmp_path):
    """Of other scenes, of nodes in no scene, of no node; those of hidden nodes are told as such."""
    scene = Scene()
    scene.mesh()
    nodes = [{"mesh": 0}, {"mesh": 0}, {"children": [3]}, {"mesh": 0}]
    scenes = [{"nodes": [0]}, {"nodes": [1]}]
    document = scene.read(tmp_path, nodes, [0], scenes=scenes)
    assert len(document.parts) == 1
    assert [(x.name, x.count) for x in document.left_out] == [("meshes outside the scene", 2)]
    nodes[2]["extensions"] = {"KHR_node_visibility": {"visible": False}}
    document = scene.read(tmp_path, nodes, [0, 1, 2], scenes=[{"nodes": [0, 1, 2]}])
    assert [(x.name, x.count) for x in document.left_out] == [("invisible nodes", 1)]
    with pytest.raises(FileFormatError, match="1 of meshes outside the scene"):
        scene.read(tmp_path, [{}], [0], scenes=[{"nodes": [0]}])


def test_a_skin_in_centimetres_comes_in_metres(tmp_path):
    """The root's scale reaches the joints, and the mesh's node, whose own transform does not count,
    has it not twice."""
    scene = Scene()
    joints = scene.add([[0, 0, 0, 0]] * 3, "u1")
    weights = scene.add([[1, 0, 0, 0]] * 3)
    scene.mesh(JOINTS_0=joints, WEIGHTS_0=weights)
    bind = np.eye(4)
    bind[:3, 3] = 0, 0, -50  # the joint stands at z = 50 cm where the mesh was bound
    skin = {"joints": [2], "inverseBindMatrices": scene.add([bind.T.reshape(-1)])}
    nodes = [
        {"scale": [0.01] * 3, "children": [1, 2]},
        {"mesh": 0, "skin": 0, "translation": [7, 7, 7]},
        {"translation": [0, 0, 50]},
    ]
    document = scene.read(tmp_path, nodes, skins=[skin])
    (vertices,) = placed(document)
    assert np.allclose(vertices, 0.01 * TRIANGLE, atol=1e-9)
    assert not any(
        name.startswith(("joints", "weights")) for name in document.parts[0].vertex_fields
    )


def test_a_bent_joint_carries_its_vertices_and_normals(tmp_path):
    scene = Scene()
    joints = scene.add([[0, 1], [0, 1], [0, 1]], "u2")
    weights = scene.add([[1, 0], [0, 2], [0.5, 0.5]])  # need not sum to 1
    normal = scene.add([[0, 0, 1]] * 3)
    scene.json["accessors"][joints]["type"] = "VEC2"
    scene.mesh(JOINTS_0=joints, WEIGHTS_0=weights, NORMAL=normal)
    half = math.sqrt(0.5)
    nodes = [{"mesh": 0, "skin": 0}, {}, {"rotation": [half, 0, 0, half]}]  # 90 degrees about x
    document = scene.read(tmp_path, nodes, [0, 1, 2], skins=[{"joints": [1, 2]}])
    (vertices,) = placed(document)
    assert np.allclose(vertices, [[0, 0, 0], [1, 0, 0], [0, 0.5, 0.5]], atol=1e-6)
    found = document.parts[0].vertex_fields["normal"]
    assert np.allclose(found[:2], [[0, 0, 1], [0, -1, 0]], atol=1e-6)


def test_copies_stand_where_they_are_put(tmp_path):
    scene = Scene()
    scene.mesh()
    half = math.sqrt(0.5)
    attributes = {
        "TRANSLATION": scene.add([[0, 0, 0], [5, 0, 0], [0, 5, 0]]),
        "ROTATION": scene.add([[0, 0, 0, 1], [0, 0, half, half], [0, 0, 0, 1]]),
        "SCALE": scene.add([[1, 1, 1], [1, 1, 1], [2, 2, 2]]),
    }
    node = {
        "mesh": 0,
        "translation": [0, 0, 3],
        "extensions": {"EXT_mesh_gpu_instancing": {"attributes": attributes}},
    }
    document = scene.read(tmp_path, [node], extensionsUsed=["EXT_mesh_gpu_instancing"])
    wanted = [TRIANGLE, [[5, 0, 0], [5, 1, 0], [4, 0, 0]], 2 * TRIANGLE + (0, 5, 0)]
    found = placed(document)
    assert len(found) == 3
    for a, b in zip(found, wanted, strict=True):
        assert np.allclose(a, np.add(b, (0, 0, 3)), atol=1e-6)
    report = mio.convert(tmp_path / "a.gltf", tmp_path / "a.stl")
    assert mio.load_document(tmp_path / "a.stl").parts[0].num_faces == 3
    assert "extension" not in str(report)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.json["skins"][0]["joints"].clear(), "no joints"),
        (lambda s: s.json["skins"][0].update(inverseBindMatrices=0), "inverse bind matrices"),
        (lambda s: s.json["nodes"][0].update(skin=3), "skins"),
        (lambda s: s.json["meshes"][0].update(weights="all"), "expected numbers"),
        (lambda s: s.json["meshes"][0]["primitives"][0].update(targets=[{"POSITION": 9}]), "9"),
    ],
)
def test_damaged_poses_are_refused_in_one_sentence(tmp_path, change, message):
    scene = Scene()
    joints, weights = scene.add([[3, 0, 0, 0]] * 3, "u1"), scene.add([[0, 1, 0, 0]] * 3)
    targets = [{"POSITION": scene.add(np.ones((3, 3)))}]
    scene.mesh({"weights": [1]}, {"targets": targets}, JOINTS_0=joints, WEIGHTS_0=weights)
    nodes = [{"mesh": 0, "skin": 0}, {}]
    scene.read(tmp_path, nodes, skins=[{"joints": [1]}])  # joints of weight 0 may be anything
    change(scene)
    with pytest.raises(FileFormatError, match=message) as told:
        scene.read(tmp_path, scene.json["nodes"], skins=scene.json["skins"])
    assert "\n" not in str(told.value)


def test_required_extensions_of_looks_do_not_hinder_geometry(tmp_path):
    scene = Scene()
    scene.mesh()
    names = ["KHR_technique_webgl", "KHR_materials_variants"]
    document = scene.read(tmp_path, [{"mesh": 0}], extensionsRequired=names)
    assert document.parts[0].num_faces == 1
    report = mio.convert(tmp_path / "a.gltf", tmp_path / "a.ply")
    assert all(any(name in loss.what for loss in report.items) for name in names)
    with pytest.raises(FileFormatError, match="ACME_wonder"):
        scene.read(tmp_path, [{"mesh": 0}], extensionsRequired=["ACME_wonder"])


def test_what_is_said_of_each_copy_is_told(tmp_path):
    scene = Scene()
    scene.mesh()
    attributes = {
        "TRANSLATION": scene.add([[0, 0, 0], [5, 0, 0]]),
        "_ID": scene.add([7.0, 8.0]),
        "_COLOR_0": scene.add([[1, 0, 0], [0, 1, 0]]),
    }
    node = {"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": attributes}}}
    document = scene.read(tmp_path, [node])
    assert len(document.parts) == 2
    told = sorted((x.what, x.count) for x in document.left_out)
    assert told == [("attribute '_COLOR_0' of copies", 2), ("attribute '_ID' of copies", 2)]


def test_morph_targets_move_every_attribute(tmp_path):
    """Colours in linear light, coordinates of textures, and tangents, whose sign stays."""
    scene = Scene()
    base = {
        "NORMAL": ([[0, 0, 1]] * 3, [[0, 1, -1]] * 3),
        "TANGENT": ([[1, 0, 0, -1]] * 3, [[-1, 1, 0]] * 3),
        "TEXCOORD_0": ([[0, 0]] * 3, [[0.5, 0.25]] * 3),
        "COLOR_0": ([[0, 0, 0, 1]] * 3, [[1, 0.5, 0, 0]] * 3),
        "TEXCOORD_1": ([[0, 0]] * 3, [[0.25, 0.5]] * 3),
    }
    target = {key: scene.add(by) for key, (_, by) in base.items()}
    attributes = {key: scene.add(values) for key, (values, _) in base.items()}
    scene.mesh({"weights": [0.5, 0.5]}, {"targets": [target, target]}, **attributes)
    fields = scene.read(tmp_path, [{"mesh": 0}]).parts[0].vertex_fields
    wanted = {
        "normal": (0, 1, 0),
        "tangent": (0, 1, 0, -1),
        "uv": (0.5, 0.75),
        "uv1": (0.25, 0.5),
        "color": (1, 0.7353569830524495, 0, 1),
    }
    for key, value in wanted.items():
        assert np.allclose(fields[key], [value] * 3, atol=1e-6), key


@pytest.mark.parametrize("hidden", ["outside", "invisible"])
def test_joints_that_are_not_shown_place_their_mesh(hidden, tmp_path):
    """A skeleton need not be in the scene, nor visible, to move what hangs on it."""
    scene = Scene()
    joints, weights = scene.add([[0, 0, 0, 0]] * 3, "u1"), scene.add([[1, 0, 0, 0]] * 3)
    scene.mesh(JOINTS_0=joints, WEIGHTS_0=weights)
    nodes = [
        {"mesh": 0, "skin": 0},
        {"scale": [0.01] * 3, "children": [2]},
        {"translation": [100, 0, 0]},
    ]
    if hidden == "invisible":
        nodes[1]["extensions"] = {"KHR_node_visibility": {"visible": False}}
    roots = [0] if hidden == "outside" else [0, 1]
    document = scene.read(tmp_path, nodes, roots, skins=[{"joints": [2]}])
    (vertices,) = placed(document)
    assert np.allclose(vertices, 0.01 * TRIANGLE + (1, 0, 0), atol=1e-7)


@pytest.mark.parametrize("joint", [7, -1, "a"])
def test_joints_that_are_not_there_are_refused(joint, tmp_path):
    scene = Scene()
    joints, weights = scene.add([[0, 0, 0, 0]] * 3, "u1"), scene.add([[1, 0, 0, 0]] * 3)
    scene.mesh(JOINTS_0=joints, WEIGHTS_0=weights)
    with pytest.raises(FileFormatError, match="joints that are not there"):
        scene.read(tmp_path, [{"mesh": 0, "skin": 0}], skins=[{"joints": [joint]}])


def test_joints_in_a_ring_are_refused(tmp_path):
    scene = Scene()
    joints, weights = scene.add([[0, 0, 0, 0]] * 3, "u1"), scene.add([[1, 0, 0, 0]] * 3)
    scene.mesh(JOINTS_0=joints, WEIGHTS_0=weights)
    nodes = [{"mesh": 0, "skin": 0}, {"children": [2]}, {"children": [1]}]
    with pytest.raises(FileFormatError, match="its own ancestor"):
        scene.read(tmp_path, nodes, skins=[{"joints": [2]}])


def test_copies_of_a_skinned_mesh_are_told(tmp_path):
    scene = Scene()
    joints, weights = scene.add([[0, 0, 0, 0]] * 3, "u1"), scene.add([[1, 0, 0, 0]] * 3)
    scene.mesh(JOINTS_0=joints, WEIGHTS_0=weights)
    attributes = {"TRANSLATION": scene.add([[0, 0, 0], [5, 0, 0], [9, 0, 0]])}
    more = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    nodes = [{"mesh": 0, "skin": 0, "extensions": more}, {}]
    document = scene.read(tmp_path, nodes, [0, 1], skins=[{"joints": [1]}])
    assert len(document.parts) == 1
    assert [(x.name, x.count) for x in document.left_out] == [("copies of skinned meshes", 2)]
