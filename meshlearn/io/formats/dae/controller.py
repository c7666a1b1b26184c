"""Controllers: meshes as they stand, morphed by their default weights and carried by their joints.

COLLADA 1.5, chapter 4, "Skinning a skeleton" and `<morph>`. A vertex v of a skin becomes the
weighted mean of joint matrix times inverse bind matrix times bind shape matrix times v; the node
that instances it does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from meshlearn.io.document import Part
from meshlearn.io.formats.dae.file import File, OutsideError
from meshlearn.io.skinning import carry, mean_matrices

_DEEPEST = 8  # controllers that control each other


@dataclass
class Posed:
    """What a controller makes of a geometry.

    Attributes:
        geometry: the element.
        changes: to be applied to each part of it, in order.
        placed: the vertices are where the scene has them.
    """

    geometry: Element
    changes: list[Callable[[Part], None]]
    placed: bool = False


def pose(file: File, instance: Element, worlds: Mapping[Element, np.ndarray]) -> Posed:
    """The geometry of an instance_controller, and how it stands.

    Args:
        worlds: where the nodes of the scene are.
    """
    found = file.target(instance.get("url"))
    skins: list[Element] = []
    changes: list[Callable[[Part], None]] = []
    for _ in range(_DEEPEST):
        if found.tag != "controller":
            break
        skin, morph = found.find("skin"), found.find("morph")
        if skin is not None:
            skins.append(skin)
            found = file.target(skin.get("source"))
        elif morph is not None:
            changes.insert(0, _morph(file, morph))
            found = file.target(morph.get("source"))
        else:
            raise file.error("a controller has neither a skin nor a morph")
    else:
        raise file.error("its controllers control each other")
    out = Posed(found, changes)
    for skin in reversed(skins):
        out.changes.append(_skin(file, skin, _joints(file, skin, instance, worlds)))
        out.placed = True
    if skins and not any(_nodes(file, skins[0], instance, worlds)):
        out.placed = False
    return out


def _inputs(entry: Element | None) -> dict[str, Element]:
    return {} if entry is None else {i.get("semantic", ""): i for i in entry.findall("input")}


def _morph(file: File, morph: Element) -> Callable[[Part], None]:
    inputs = _inputs(morph.find("targets"))
    if not {"MORPH_TARGET", "MORPH_WEIGHT"} <= set(inputs):
        raise file.error("a morph has no targets or no weights")
    names = file.words(inputs["MORPH_TARGET"].get("source"))
    weights = file.source(inputs["MORPH_WEIGHT"].get("source")).reshape(-1)
    pairs = [(n, float(w)) for n, w in zip(names, weights, strict=False) if w]
    relative = morph.get("method") == "RELATIVE"
    own = 1.0 if relative else 1.0 - sum(w for _, w in pairs)

    def change(part: Part) -> None:
        if not pairs:
            return
        made = own * part.vertices
        for name, weight in pairs:
            by = _positions(file, file.target("#" + name))
            if by.shape != made.shape:
                raise file.error(f"a morph target has {len(by)} vertices, its base {len(made)}")
            with np.errstate(over="ignore", invalid="ignore"):
                made = made + weight * by
        part.vertices = made
        if part.vertex_fields.pop("normal", None) is not None or "normal" in part.corner_fields:
            part.corner_fields.pop("normal", None)
            file.lost["normals of morphed meshes", "drops them"] += 1

    return change


def _positions(file: File, geometry: Element) -> np.ndarray:
    for entry in geometry.findall("mesh/vertices/input"):
        if entry.get("semantic") == "POSITION":
            return file.source(entry.get("source"))[:, :3]
    raise file.error("a morph target is no mesh")


def _nodes(
    file: File, skin: Element, instance: Element, worlds: Mapping[Element, np.ndarray]
) -> Iterator[Element | None]:
    """The nodes of a skin's joints; None for one that is not there."""
    joint = _inputs(skin.find("joints")).get("JOINT")
    if joint is None:
        raise file.error("a skin has no joints")
    roots = []
    for entry in instance.findall("skeleton"):
        try:
            roots.append(file.target((entry.text or "").strip()))
        except OutsideError:
            continue
    first: dict[str, Element] = {}
    for among in (n for root in roots for n in root.iter("node")), iter(worlds):
        for node in among:
            for key in ("sid", "id", "name"):
                if node.get(key) and node in worlds:
                    first.setdefault(f"{key}:{node.get(key)}", node)
    for name in file.words(joint.get("source")):
        found = (first.get(f"{key}:{name}") for key in ("sid", "id", "name"))
        yield next((node for node in found if node is not None), None)


def _joints(
    file: File, skin: Element, instance: Element, worlds: Mapping[Element, np.ndarray]
) -> np.ndarray:
    """(J, 4, 4): from a skin's bind pose to the scene, for each of its joints."""
    nodes = list(_nodes(file, skin, instance, worlds))
    bind = _inputs(skin.find("joints")).get("INV_BIND_MATRIX")
    inverse = np.tile(np.eye(4), (len(nodes), 1, 1))
    if bind is not None:
        values = file.source(bind.get("source"))
        if values.size != 16 * len(nodes):
            raise file.error(f"a skin of {len(nodes)} joints has {values.size / 16:g} matrices")
        inverse = values.reshape(-1, 4, 4)
    out = np.tile(np.eye(4), (len(nodes), 1, 1))  # what a joint that is not there leaves
    for k, node in enumerate(nodes):
        if node is None:
            file.lost["joints that are not there", "leaves what they move"] += 1
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                out[k] = worlds[node] @ inverse[k]
    return out


def _skin(file: File, skin: Element, matrices: np.ndarray) -> Callable[[Part], None]:
    shape = np.eye(4)
    if skin.find("bind_shape_matrix") is not None:
        values = file.numbers(skin.find("bind_shape_matrix"))
        if len(values) != 16:
            raise file.error(f"expected 16 numbers of <bind_shape_matrix>, got {len(values)}")
        shape = values.reshape(4, 4)
    weights = skin.find("vertex_weights")
    inputs = _inputs(weights)
    if weights is None or not {"JOINT", "WEIGHT"} <= set(inputs):
        raise file.error("a skin has no weights of its vertices")
    offsets = {key: int(entry.get("offset", "0")) for key, entry in inputs.items()}
    stride = max(offsets.values()) + 1
    counts = file.numbers(weights.find("vcount"), whole=True)
    index = file.numbers(weights.find("v"), whole=True)
    if (counts < 0).any() or stride > 64 or len(index) != stride * int(counts.sum()):
        raise file.error(f"a skin has {len(index)} indices of weights for {int(counts.sum())}")
    index = index.reshape(-1, stride)
    values = file.source(inputs["WEIGHT"].get("source")).reshape(-1)
    joint, which = index[:, offsets["JOINT"]], index[:, offsets["WEIGHT"]]
    for chosen, low, size in ((joint, -1, len(matrices)), (which, 0, len(values))):
        if len(chosen) and (chosen.min() < low or chosen.max() >= size):
            raise file.error("a skin names a joint or a weight that is not there")
    vertex = np.repeat(np.arange(len(counts)), counts)

    def change(part: Part) -> None:
        if len(counts) != len(part.vertices):
            raise file.error(f"a skin has weights of {len(counts)} vertices, not of all")
        by = mean_matrices(matrices, vertex, joint, values[which], len(counts))
        whole = np.concatenate([by, np.tile([[[0.0, 0, 0, 1]]], (len(by), 1, 1))], 1)
        with np.errstate(over="ignore", invalid="ignore"):
            carry(part, (whole @ shape)[:, :3])

    return change
