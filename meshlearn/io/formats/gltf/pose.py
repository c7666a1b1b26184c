"""Meshes of a glTF file as they stand: morph targets by their default weights, skins by the joints'
nodes, and copies by EXT_mesh_gpu_instancing.

A skinned vertex is the mean of joint matrix times inverse bind matrix times vertex, by the weights
of its joints; the transform of the mesh's own node does not count (glTF 2.0, 3.7.3.1).
"""

from __future__ import annotations

import numpy as np

from meshlearn.io.document import Part
from meshlearn.io.formats.gltf.file import File
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.skinning import carry, mean_matrices

INSTANCING = "EXT_mesh_gpu_instancing"


def _numbers(file: File, values: object, what: str) -> np.ndarray:
    if not isinstance(values, list) or not all(isinstance(v, (int, float)) for v in values):
        raise file.error(f"expected numbers for {what}")
    return np.array(values, np.float64)


def moves_of(file: File, targets: object, weights: object) -> dict[str, np.ndarray]:
    """What morph targets add to each attribute of vertices, by its name: float64, in the numbers of
    its accessor; nothing where all weights are 0."""
    found: dict[str, np.ndarray] = {}
    if not isinstance(targets, list) or not targets:
        return found
    by = _numbers(file, weights, "weights of morph targets")
    for weight, target in zip(by.tolist(), targets, strict=False):
        if weight == 0 or not isinstance(target, dict):
            continue
        for key, where in target.items():
            with np.errstate(over="ignore", invalid="ignore"):
                more = weight * file.accessor(where).astype(np.float64)
            if key in found and found[key].shape != more.shape:
                raise file.error(f"morph targets move different numbers of {key}")
            with np.errstate(over="ignore", invalid="ignore"):
                found[key] = found[key] + more if key in found else more
    return found


def moved(file: File, key: str, values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Values (V, D) of an attribute with what morph targets add, float32; the sign of tangents
    stays, and colours end at 0 and 1."""
    width = 3 if key == "TANGENT" else values.shape[1]
    if key.startswith("COLOR_"):  # three numbers may stand beside four
        width = min(width, by.shape[1])
    if len(by) != len(values) or by.shape[1] < width:
        raise file.error(f"a morph target moves {by.shape[0]} of {len(values)} vertices")
    out = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        out[:, :width] += by[:, :width]
        return (out.clip(0, 1) if key.startswith("COLOR_") else out).astype(np.float32)


def unit(normal: np.ndarray) -> np.ndarray:
    """Directions (N, 3) of length 1; those that have none stay."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(normal.astype(np.float64), axis=1, keepdims=True)
    return (normal / np.where(np.isfinite(length) & (length > 0), length, 1)).astype(np.float32)


def joint_matrices(file: File, skin: dict, worlds: dict[int, np.ndarray]) -> np.ndarray:
    """(J, 4, 4): from a skin's bind pose to the scene, for each of its joints."""
    joints = skin.get("joints")
    if not isinstance(joints, list) or not joints:
        raise file.error("a skin has no joints")
    if not all(isinstance(k, int) and k in worlds for k in joints):
        raise file.error("a skin names joints that are not there")
    at = np.stack([worlds[k] for k in joints])
    shape = _bind_shape(file, skin)
    if "inverseBindMatrices" not in skin:
        return at @ shape
    bind = file.accessor(skin["inverseBindMatrices"]).astype(np.float64)
    if bind.shape[1] != 16 or len(bind) < len(joints):
        raise file.error(f"a skin of {len(joints)} joints has {len(bind)} inverse bind matrices")
    with np.errstate(over="ignore", invalid="ignore"):
        return at @ bind[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1) @ shape


def _bind_shape(file: File, skin: dict) -> np.ndarray:
    """(4, 4) what stands before the inverse bind matrices; version 1 of the format has it."""
    if "bindShapeMatrix" not in skin:
        return np.eye(4)
    found = _numbers(file, skin["bindShapeMatrix"], "the bind shape of a skin")
    if found.shape != (16,):
        raise file.error(f"expected 16 numbers for the bind shape of a skin, got {found.size}")
    return found.reshape(4, 4).T


def pose(file: File, part: Part, attributes: dict, matrices: np.ndarray) -> bool:
    """Puts the vertices of a part where its joints (J, 4, 4) carry them; False where the part names
    no joints."""
    joints: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    while f"JOINTS_{len(joints)}" in attributes and f"WEIGHTS_{len(joints)}" in attributes:
        number = len(joints)
        joints.append(file.accessor(attributes[f"JOINTS_{number}"]).astype(np.int64))
        weights.append(file.accessor(attributes[f"WEIGHTS_{number}"]).astype(np.float64))
        for name in (f"joints_{number}", f"weights_{number}"):
            part.vertex_fields.pop(name, None)
    if not joints:
        return False
    joint, weight = np.concatenate(joints, 1), np.concatenate(weights, 1)
    if joint.shape != weight.shape or len(joint) != len(part.vertices):
        raise file.error("joints and weights do not belong to the vertices")
    weight = np.where(np.isfinite(weight) & (weight > 0), weight, 0)
    if bool(((joint < 0) | (joint >= len(matrices)))[weight > 0].any()):
        raise file.error(f"a vertex names a joint beyond the {len(matrices)} of its skin")
    joint = joint.clip(0, len(matrices) - 1)
    weight[:, :1] += weight.sum(1, keepdims=True) == 0  # without weights: with its first joint
    count, width = joint.shape
    vertex = np.repeat(np.arange(count), width)
    by = mean_matrices(matrices, vertex, joint.reshape(-1), weight.reshape(-1), count)
    carry(part, by)
    return True


def copies(file: File, node: dict, left_out: list[Loss]) -> list[np.ndarray] | None:
    """Transforms (4, 4) of a node's copies, before its own; None where it is there once.

    Args:
        left_out: takes the losses: what else is said of each copy, such as `_ID`.
    """
    extensions = node.get("extensions")
    said = extensions.get(INSTANCING) if isinstance(extensions, dict) else None
    attributes = said.get("attributes") if isinstance(said, dict) else None
    if not isinstance(attributes, dict):
        return None
    found = {}
    for key, width in (("TRANSLATION", 3), ("ROTATION", 4), ("SCALE", 3)):
        if key in attributes:
            values = file.accessor(attributes[key]).astype(np.float64)
            if values.shape[1] != width:
                raise file.error(f"expected {key} of {width} numbers for each copy of a mesh")
            found[key] = values
    counts = {len(v) for v in found.values()}
    if len(counts) != 1:
        raise file.error("the copies of a mesh have no place, or lists of different lengths")
    count = counts.pop()
    for key in attributes.keys() - found.keys():
        name, limit = f"attribute {key!r} of copies", "has it, and it is not read"
        left_out.append(Loss(LossKind.OTHER, "", name, count, limit, "the file"))
    turn = found.get("ROTATION", np.tile([0.0, 0, 0, 1], (count, 1)))
    size = found.get("SCALE", np.ones((count, 3)))
    return list(placing(turn, size, found.get("TRANSLATION", np.zeros((count, 3)))))


def placing(turn: np.ndarray, size: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Transforms (N, 4, 4) of nodes: a turn by unit quaternions (N, 4), x, y, z, w, of what is
    scaled (N, 3) before and moved (N, 3) behind."""
    x, y, z, w = turn.T
    matrix = np.tile(np.eye(4), (len(turn), 1, 1))
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix[:, :3, :3] = turned.transpose(2, 0, 1) * size[:, None]
    matrix[:, :3, 3] = move
    return matrix
