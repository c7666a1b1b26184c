"""glTF 1.0 in the words of 2.0: objects by name become lists, strides of accessors those of views
of their own, and parameters of shaders with the names that all give them become a surface.

Source: the specification of glTF 1.0 (Khronos, 2015), KHR_binary_glTF and KHR_materials_common.
"""

from __future__ import annotations

import math
from typing import Any

from meshlearn.io.left_behind import Loss, LossKind

BODY = ("binary_glTF", "KHR_binary_glTF")  # names of the buffer that is the rest of a binary file
COMMON = "KHR_materials_common"
CENTRE = "CESIUM_RTC"
_READ = {COMMON, CENTRE, "KHR_binary_glTF"}
_GEOMETRY = {"WEB3D_quantized_attributes"}  # numbers mean something else with it
_LISTS = (
    "buffers", "bufferViews", "accessors", "images", "samplers", "textures", "materials", "meshes",
    "skins", "nodes", "scenes", "animations", "cameras",
)  # fmt: skip
_BLEND = 3042  # the state of WebGL


class _Names:
    """The index of each object of a file, by what it is and its name."""

    def __init__(self, body: dict) -> None:
        self.body = body
        self.places: dict[str, dict[str, int]] = {}
        for key in _LISTS:
            table = body.get(key, {})
            if not isinstance(table, dict) or not all(isinstance(x, dict) for x in table.values()):
                raise ValueError(f"expected objects by name for {key!r} of glTF 1.0")
            self.places[key] = {name: k for k, name in enumerate(table)}

    def table(self, key: str) -> dict[str, dict]:
        return self.body.get(key, {})

    def find(self, key: str, name: object) -> int:
        if not isinstance(name, str) or name not in self.places[key]:
            raise ValueError(f"it names {key}[{name!r}], which is not there")
        return self.places[key][name]


def is_old(body: dict) -> bool:
    """Whether the JSON of a file is of version 1."""
    asset = body.get("asset")
    named = any(isinstance(body.get(key), dict) for key in _LISTS)
    version = asset.get("version") if isinstance(asset, dict) else None
    return named and (version is None or str(version).startswith("1"))


def upgraded(body: dict) -> tuple[dict, list[Loss]]:
    """The JSON of version 1 as that of version 2, and what is left out.

    Raises:
        ValueError: no legal file; what is wrong with it.
    """
    names = _Names(body)
    for extension in sorted(_GEOMETRY & set(map(str, _list(body.get("extensionsUsed"))))):
        raise ValueError(f"it uses the extension {extension}, which is not read")
    views = [_view(names, view) for view in names.table("bufferViews").values()]
    out: dict[str, Any] = {
        "asset": {**_object(body.get("asset")), "version": "2.0"},
        "buffers": [_buffer(name, b) for name, b in names.table("buffers").items()],
        "bufferViews": views,
        "accessors": [_accessor(names, a, views) for a in names.table("accessors").values()],
        "images": [_image(names, name, i) for name, i in names.table("images").items()],
        "samplers": list(names.table("samplers").values()),
        "textures": [_texture(names, t) for t in names.table("textures").values()],
        "materials": [_material(names, name, m) for name, m in names.table("materials").items()],
        "meshes": [_mesh(names, m) for m in names.table("meshes").values()],
        "animations": list(names.table("animations").values()),
        "cameras": list(names.table("cameras").values()),
        "skins": [_skin(names, s) for s in names.table("skins").values()],
    }
    nodes: list[dict] = []
    more: list[dict] = []  # for nodes of several meshes, one each below them
    first = len(names.table("nodes"))
    for name, node in names.table("nodes").items():
        nodes.append(_node(names, name, node, more, first))
    out["nodes"] = nodes + more
    if names.table("scenes"):
        out["scenes"] = [
            {"nodes": [names.find("nodes", n) for n in _list(s.get("nodes"))]}
            for s in names.table("scenes").values()
        ]
        out["scene"] = names.find("scenes", body["scene"]) if "scene" in body else 0
    centre = _object(_object(body.get("extensions")).get(CENTRE)).get("center")
    if centre is not None and out["nodes"]:
        _move(out, centre)
    return {key: value for key, value in out.items() if value != []}, _losses(names)


def _move(body: dict, centre: object) -> None:
    """Puts all of a scene where CESIUM_RTC says that it is."""
    scenes = body.setdefault("scenes", [{"nodes": list(range(len(body["nodes"])))}])
    for scene in scenes:
        body["nodes"].append({"translation": centre, "children": scene["nodes"]})
        scene["nodes"] = [len(body["nodes"]) - 1]


def _object(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list:
    return value if isinstance(value, list) else []


def _kept(entry: dict, *keys: str) -> dict:
    return {key: entry[key] for key in keys if key in entry}


def _buffer(name: str, entry: dict) -> dict:
    if name in BODY:
        return {**_kept(entry, "byteLength"), "body": True}
    return _kept(entry, "byteLength", "uri")


def _view(names: _Names, entry: dict) -> dict:
    where, offset = names.find("buffers", entry.get("buffer")), entry.get("byteOffset", 0)
    length = entry.get("byteLength") or 0
    if not length:  # the rest of its buffer
        length = max(0, names.table("buffers")[entry["buffer"]].get("byteLength", 0) - offset)
    return {"buffer": where, "byteOffset": offset, "byteLength": length}


def _accessor(names: _Names, entry: dict, views: list[dict]) -> dict:
    """The accessor, with a view of its own where it says a stride."""
    place = names.find("bufferViews", entry.get("bufferView"))
    out = {**_kept(entry, "componentType", "count", "type"), "bufferView": place}
    offset, stride = entry.get("byteOffset", 0), entry.get("byteStride", 0)
    view = views[place]
    numbers = (offset, stride, view["byteOffset"], view["byteLength"])
    if not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise ValueError("expected whole numbers for offsets and strides")
    if not stride:
        return {**out, "byteOffset": offset}
    length = max(0, view["byteLength"] - offset)
    views.append(
        {**view, "byteOffset": view["byteOffset"] + offset, "byteLength": length}
        | {"byteStride": stride}
    )
    return {**out, "bufferView": len(views) - 1}


def _image(names: _Names, name: str, entry: dict) -> dict:
    binary = _object(_object(entry.get("extensions")).get("KHR_binary_glTF"))
    label = {"name": entry.get("name", name)}
    if binary:
        view = names.find("bufferViews", binary.get("bufferView"))
        return {**label, **_kept(binary, "mimeType"), "bufferView": view}
    return {**label, **_kept(entry, "uri")}


def _texture(names: _Names, entry: dict) -> dict:
    out = {"source": names.find("images", entry.get("source"))}
    if "sampler" in entry:
        out["sampler"] = names.find("samplers", entry["sampler"])
    return out


def _values(names: _Names, entry: dict) -> tuple[dict, dict]:
    """A material's values, those of KHR_materials_common before others, and what else that says;
    those that it does not say are its technique's."""
    common = _object(_object(entry.get("extensions")).get(COMMON))
    if common:
        return _object(common.get("values")), common
    technique = _object(_object(names.body.get("techniques")).get(entry.get("technique", "")))
    parameters = _object(technique.get("parameters"))
    defaults = {k: v["value"] for k, v in parameters.items() if "value" in _object(v)}
    enabled = _list(_object(technique.get("states")).get("enable"))
    more = {"transparent": True} if _BLEND in enabled else {}
    return defaults | _object(entry.get("values")), more


def _color(value: object) -> list[float] | None:
    if isinstance(value, list) and len(value) >= 3:
        good = all(isinstance(v, (int, float)) and math.isfinite(v) for v in value)
        return [min(max(float(v), 0.0), 1.0) for v in (*value, 1.0)[:4]] if good else None
    return None


def _texture_of(names: _Names, value: object) -> dict | None:
    """The texture that a value names, which some files have as the one entry of a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and value in names.places["textures"]:
        return {"index": names.places["textures"][value]}
    return None


def _material(names: _Names, name: str, entry: dict) -> dict:
    values, more = _values(names, entry)
    surface: dict = {"metallicFactor": 0.0}
    out: dict = {"name": entry.get("name", name), "pbrMetallicRoughness": surface}
    color, texture = _color(values.get("diffuse")), _texture_of(names, values.get("diffuse"))
    emission = _color(values.get("emission"))
    lit = more.get("technique") != "CONSTANT"
    if not lit:  # what is shown without light is the emission
        color = emission or color
        texture = _texture_of(names, values.get("emission")) or texture
        out["extensions"] = {"KHR_materials_unlit": {}}
    elif emission and any(emission[:3]):
        out["emissiveFactor"] = emission[:3]
    elif _texture_of(names, values.get("emission")):
        glow = _texture_of(names, values["emission"])
        out |= {"emissiveFactor": [1.0] * 3, "emissiveTexture": glow}
    opacity = values.get("transparency", 1.0)
    opacity = opacity[0] if isinstance(opacity, list) and len(opacity) == 1 else opacity
    opacity = float(opacity) if isinstance(opacity, (int, float)) else 1.0
    if color or opacity < 1:
        factor = color or [1.0] * 4
        surface["baseColorFactor"] = [*factor[:3], min(max(factor[3] * opacity, 0.0), 1.0)]
    if texture:
        surface["baseColorTexture"] = texture
    if more.get("transparent") is True or opacity < 1:
        out["alphaMode"] = "BLEND"
    if more.get("doubleSided") is True:
        out["doubleSided"] = True
    return out


def _attribute(name: str) -> str:
    """The name of an attribute in version 2."""
    head, _, number = name.partition("_")
    head = {"JOINT": "JOINTS", "WEIGHT": "WEIGHTS"}.get(head, head)
    if head in ("TEXCOORD", "COLOR", "JOINTS", "WEIGHTS"):
        return f"{head}_{number or 0}"
    return name


def _mesh(names: _Names, entry: dict) -> dict:
    primitives = []
    for part in _list(entry.get("primitives")):
        part = _object(part)
        attributes = {
            _attribute(key): names.find("accessors", where)
            for key, where in _object(part.get("attributes")).items()
        }
        made = {"attributes": attributes, "mode": part.get("mode", part.get("primitive", 4))}
        if part.get("indices") is not None:
            made["indices"] = names.find("accessors", part["indices"])
        if part.get("material") in names.places["materials"]:
            made["material"] = names.places["materials"][part["material"]]
        primitives.append({**made, **_kept(part, "extras")})
    return {**_kept(entry, "name", "extras"), "primitives": primitives}


def _skin(names: _Names, entry: dict) -> dict:
    of_joint = {n.get("jointName"): name for name, n in names.table("nodes").items()}
    joints = [names.find("nodes", of_joint.get(j, j)) for j in _list(entry.get("jointNames"))]
    out = {"joints": joints, **_kept(entry, "name", "bindShapeMatrix")}
    if "inverseBindMatrices" in entry:
        out["inverseBindMatrices"] = names.find("accessors", entry["inverseBindMatrices"])
    return out


def _node(names: _Names, name: str, entry: dict, more: list[dict], first: int) -> dict:
    keys = ("matrix", "rotation", "scale", "translation", "extras")
    out = {"name": entry.get("name", name), **_kept(entry, *keys)}
    children = [names.find("nodes", n) for n in _list(entry.get("children"))]
    skin = {"skin": names.find("skins", entry["skin"])} if "skin" in entry else {}
    meshes = [names.find("meshes", m) for m in _list(entry.get("meshes"))]
    if len(meshes) == 1:
        out |= {"mesh": meshes[0], **skin}
    else:
        for mesh in meshes:
            children.append(first + len(more))
            more.append({"name": out["name"], "mesh": mesh, **skin})
    return {**out, **({"children": children} if children else {})}


def _losses(names: _Names) -> list[Loss]:
    shaders = glossy = 0
    for entry in names.table("materials").values():
        values, more = _values(names, entry)
        shaders += "technique" in entry and "technique" not in more
        color = _color(values.get("specular"))
        glossy += bool(color and any(color[:3])) or isinstance(values.get("specular"), str)
    limit = "has programs of its own; colours and textures that they are given are read"
    unread = sorted(set(map(str, _list(names.body.get("extensionsUsed")))) - _READ)
    words = "uses it, and it is not read"
    kinds = [
        *(Loss(LossKind.OTHER, name=f"the extension {x}", limit=words) for x in unread),
        Loss(LossKind.OTHER, name="shaders of materials", count=shaders, limit=limit),
        Loss(
            LossKind.MATERIAL_PROPERTY,
            name="specular colour",
            count=glossy,
            limit="is read without it",
        ),
    ]
    return [Loss(x.kind, "", x.name, x.count, x.limit, "the file") for x in kinds if x.count]
