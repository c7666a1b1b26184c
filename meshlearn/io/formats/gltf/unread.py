"""What a glTF file says beside geometry and looks, and nothing here reads: extensions of nodes,
meshes and the whole file, extras, primitives without positions."""

from __future__ import annotations

from collections.abc import Iterator

from meshlearn.io.left_behind import Loss, LossKind

READ = {
    "EXT_mesh_gpu_instancing",
    "EXT_mesh_quantization",
    "EXT_meshopt_compression",
    "KHR_binary_glTF",
    "KHR_draco_mesh_compression",
    "KHR_mesh_quantization",
    "KHR_meshopt_compression",
    "KHR_node_visibility",
}  # of nodes, primitives and views of buffers
_PLACES = ("scenes", "nodes", "meshes", "cameras", "skins", "animations", "accessors", "samplers")
_OWN_EXTRAS = {"names", "unused"}  # of primitives, as this package writes them


def _objects(body: dict) -> Iterator[tuple[str, dict]]:
    """What may have extensions and extras, with what it is."""
    yield "the file", body
    for key in _PLACES:
        found = body.get(key, [])
        for entry in found if isinstance(found, list) else []:
            if not isinstance(entry, dict):
                continue
            yield key, entry
            parts = entry.get("primitives", []) if key == "meshes" else []
            for part in parts if isinstance(parts, list) else []:
                if isinstance(part, dict):
                    yield "primitives", part


def _has_place(primitive: dict) -> bool:
    """Whether a primitive has positions, without which there is nothing to be seen of it."""
    attributes = primitive.get("attributes")
    return isinstance(attributes, dict) and "POSITION" in attributes


def _in_materials(value: object, depth: int = 0) -> set[str]:
    """Names of extensions that go along with materials and textures."""
    if isinstance(value, list):
        return set().union(*(_in_materials(item, depth + 1) for item in value))
    if not isinstance(value, dict) or depth > 20:
        return set()
    own = value.get("extensions")
    found = set(own) if isinstance(own, dict) else set()
    return found.union(*(_in_materials(item, depth + 1) for item in value.values()))


def losses(body: dict, required: list[str]) -> list[Loss]:
    """What of a file's JSON is left out.

    Args:
        required: extensions that the file requires and whose absence does not hinder geometry.
    """
    counts: dict[str, int] = {}
    extras: dict[str, int] = {}
    for place, entry in _objects(body):
        own = entry.get("extensions")
        for name in own if isinstance(own, dict) else ():
            if name not in READ:
                counts[name] = counts.get(name, 0) + 1
        more = entry.get("extras")
        if place == "primitives" and isinstance(more, dict):
            more = {k: v for k, v in more.items() if k not in _OWN_EXTRAS}
        if more:
            extras[place] = extras.get(place, 0) + 1
    bare = sum(place == "primitives" and not _has_place(entry) for place, entry in _objects(body))
    carried = _in_materials([body.get("materials", []), body.get("textures", [])])
    out = []
    for name in required:
        if name not in counts and name not in carried:
            limit = "requires it, and it is not read; the geometry is as without it"
            out.append(Loss(LossKind.OTHER, name=f"the extension {name}", limit=limit))
    limit = "has it, and it is not read"
    for name, count in counts.items():
        loss = Loss(LossKind.OTHER, name=f"the extension {name}", count=count, limit=limit)
        out.append(loss)
    if bare:
        limit = "says no POSITION of them"
        out.append(Loss(LossKind.UNREAD, name="primitives", count=bare, limit=limit))
    for place, count in extras.items():
        limit = "has them, and they are not read"
        out.append(Loss(LossKind.OTHER, name=f"extras of {place}", count=count, limit=limit))
    return [Loss(x.kind, x.domain, x.name, x.count, x.limit, "the file") for x in out]
