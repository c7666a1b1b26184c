"""A document as a stage of USD, in memory; usd-core is imported here."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, Vt

from meshlearn.io.changes.placement import metres
from meshlearn.io.color_space import to_fractions
from meshlearn.io.document import Document, Material, Part, as_table
from meshlearn.io.even_looks import texture_field
from meshlearn.io.formats.usd.material import inputs_of, type_of_input
from meshlearn.io.formats.usd.sets import primvar_of
from meshlearn.io.local_origins import with_local_origins
from meshlearn.io.offset import offset_line

# dtype -> name of the type of one number, and of vectors of it
_TYPES = {
    "f2": ("Half", True),
    "f4": ("Float", True),
    "f8": ("Double", True),
    "i4": ("Int", True),
    "u4": ("UInt", False),
    "i8": ("Int64", False),
    "u8": ("UInt64", False),
    "u1": ("UChar", False),
    "b1": ("Bool", False),
}


def make_stage(document: Document) -> Usd.Stage:
    """The stage: materials in /Materials, a prim for each part."""
    document = with_local_origins(document)
    stage = Usd.Stage.CreateInMemory()
    layer = stage.GetRootLayer()
    if document.up in ("y", "z"):
        UsdGeom.SetStageUpAxis(stage, document.up.upper())
    unit = metres(document.unit) if document.unit else None
    if unit is not None:
        UsdGeom.SetStageMetersPerUnit(stage, unit)
    comments = list(document.metadata.get("comments", []))
    comments += [line] if (line := offset_line(document)) else []
    if comments:
        layer.comment = "\n".join(map(str, comments))
    custom = document.metadata.get("usd")
    if isinstance(custom, dict) and custom:
        layer.customLayerData = _custom(custom)
    names: set[str] = set()
    said = _all_materials(document)
    materials = [_material(stage, m, names, document.images) for m in said]
    sided = {k for k, m in enumerate(said) if m.looks is not None and m.looks.double_sided}
    names = {"Materials"} if materials else set()
    for part in document.parts:
        prim = _part(stage, part, materials, names)
        label = part.face_fields.get("material")
        if sided and label is not None and not sided.isdisjoint(np.unique(label).tolist()):
            inside = prim.GetChild("mesh") if prim.IsA(UsdGeom.Xform) else prim
            UsdGeom.Mesh(inside).CreateDoubleSidedAttr(True)
        if not layer.defaultPrim:
            layer.defaultPrim = prim.GetName()
    return stage


def _custom(value: dict) -> dict:
    return {str(k): _custom(v) if isinstance(v, dict) else v for k, v in value.items()}


def _all_materials(document: Document) -> list[Material]:
    """The materials, and one for each number of a face that has none."""
    labels = [p.face_fields["material"] for p in document.parts if "material" in p.face_fields]
    top = max((int(label.max()) for label in labels if len(label)), default=-1)
    out = list(document.materials)
    return out + [Material(f"material {k}") for k in range(len(out), min(top + 1, 1 << 16))]


def _named(prim_or_attribute, name: str, made: str) -> None:
    """Keeps the name that was meant, where the identifier is another."""
    if name != made:
        prim_or_attribute.SetCustomDataByKey("meshlearn:name", name)
        if name:
            prim_or_attribute.SetDisplayName(name)


def _identifier(name: str, default: str, taken: set[str]) -> str:
    """A legal identifier that is not yet taken."""
    text = name if name and Sdf.Path.IsValidIdentifier(name) else ""
    text = text or "".join(c if c.isalnum() or c == "_" else "_" for c in name) or default
    if not Sdf.Path.IsValidIdentifier(text):
        text = f"_{text}"
    if not Sdf.Path.IsValidIdentifier(text):
        text = default
    made, number = text, 1
    while made in taken:
        made, number = f"{text}_{number}", number + 1
    taken.add(made)
    return made


def _material(
    stage, material: Material, taken: set[str], images: Mapping[str, bytes]
) -> UsdShade.Material:
    UsdGeom.Scope.Define(stage, "/Materials")
    made = _identifier(material.name, "material", taken)
    out = UsdShade.Material.Define(stage, f"/Materials/{made}")
    _named(out.GetPrim(), material.name, made)
    inputs, textures = inputs_of(material)
    for name in [n for n, said in textures.items() if said.get("file") not in images]:
        scale = textures.pop(name).get("scale")  # its image is not there: told when it was read
        if type_of_input(name) == "Color3f" and scale:
            inputs.setdefault(name, scale)
    if not inputs and not textures:
        return out
    base = f"/Materials/{made}"
    surface = UsdShade.Shader.Define(stage, f"{base}/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    for name, value in inputs.items():
        kind = type_of_input(name)
        if kind and value is not None and name not in textures:
            item = surface.CreateInput(name, getattr(Sdf.ValueTypeNames, kind))
            item.Set(Gf.Vec3f(*value[:3]) if kind.endswith("3f") else value)
    out.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    said = material.values.get("usd")
    if isinstance(said, dict) and said.get("colors"):
        reader = _reader(stage, f"{base}/colors", "Float3", "displayColor")
        item = surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)
        item.ConnectToSource(reader.ConnectableAPI(), "result")
    for name, texture in textures.items():
        kind = type_of_input(name)
        if kind:
            _texture(stage, base, surface, name, kind, texture)
    return out


def _reader(stage, path: str, kind: str, varname: str) -> UsdShade.Shader:
    """The shader that gives a primvar."""
    reader = UsdShade.Shader.Define(stage, path)
    reader.CreateIdAttr(f"UsdPrimvarReader_{kind.lower()}")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set(varname)
    reader.CreateOutput("result", getattr(Sdf.ValueTypeNames, kind))
    return reader


def _coordinates(stage, base: str, name: str, texture: dict) -> UsdShade.Shader:
    """The shader that gives a texture its coordinates, one for each set and each transform."""
    number = texture.get("uv")
    number = number if isinstance(number, int) and number > 0 else 0
    path = f"{base}/{texture_field(number)}"
    reader = UsdShade.Shader.Get(stage, path)
    reader = reader or _reader(stage, path, "Float2", primvar_of(number))
    said = texture.get("transform")
    if not isinstance(said, dict):
        return reader
    place = UsdShade.Shader.Define(stage, f"{base}/place_{name}")
    place.CreateIdAttr("UsdTransform2d")
    if isinstance(said.get("rotation"), (int, float)):
        place.CreateInput("rotation", Sdf.ValueTypeNames.Float).Set(said["rotation"])
    for key in ("scale", "translation"):
        if isinstance(said.get(key), list) and len(said[key]) == 2:
            place.CreateInput(key, Sdf.ValueTypeNames.Float2).Set(Gf.Vec2f(*said[key]))
    item = place.CreateInput("in", Sdf.ValueTypeNames.Float2)
    item.ConnectToSource(reader.ConnectableAPI(), "result")
    place.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    return place


def _texture(stage, base: str, surface, name: str, kind: str, texture: dict) -> None:
    reader = _coordinates(stage, base, name, texture)
    shader = UsdShade.Shader.Define(stage, f"{base}/texture_{name}")
    shader.CreateIdAttr("UsdUVTexture")
    file = str(texture.get("file", ""))
    plain = "/" in file or ":" in file or not file
    shader.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(file if plain else f"./{file}")
    for key in ("wrapS", "wrapT", "sourceColorSpace"):
        if isinstance(texture.get(key), str):
            shader.CreateInput(key, Sdf.ValueTypeNames.Token).Set(texture[key])
    for key in ("scale", "bias", "fallback"):
        value = texture.get(key)
        if isinstance(value, list) and len(value) == 4:
            shader.CreateInput(key, Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(*value))
    st = shader.CreateInput("st", Sdf.ValueTypeNames.Float2)
    st.ConnectToSource(reader.ConnectableAPI(), "result")
    channel = str(texture.get("channel", "rgb"))
    channel = channel if channel in ("r", "g", "b", "a", "rgb") else "rgb"
    shader.CreateOutput(
        channel, getattr(Sdf.ValueTypeNames, "Float3" if channel == "rgb" else "Float")
    )
    item = surface.CreateInput(name, getattr(Sdf.ValueTypeNames, kind))
    item.ConnectToSource(shader.ConnectableAPI(), channel)


def _consecutive(part: Part, index: np.ndarray) -> bool:
    """Whether lines or points name every vertex once, in order, and nothing else is there."""
    return part.num_faces == 0 and np.array_equal(index, np.arange(len(part.vertices)))


def _part(stage, part: Part, materials: list, taken: set[str]) -> Usd.Prim:
    made = _identifier(part.name, "part", taken)
    path = f"/{made}"
    lines = np.concatenate(part.lines) if part.lines else np.zeros(0, np.int64)
    points = part.points
    if len(points) and not part.lines and _consecutive(part, points):
        shape = UsdGeom.Points.Define(stage, path)
        _set(shape, part)
        _fields(shape, part.vertex_fields | part.point_fields, "vertex")
    elif part.lines and not len(points) and _consecutive(part, lines):
        shape = _curves(stage, path, part)
        _fields(shape, part.vertex_fields, "vertex")
        _fields(shape, part.line_fields, "uniform")
    elif part.lines or len(points):
        shape = UsdGeom.Xform.Define(stage, path)
        shape.GetPrim().SetCustomDataByKey("meshlearn:part", True)
        _mesh(stage, f"{path}/mesh", part, materials)
        if part.lines:
            curves = _curves(stage, f"{path}/lines", part)
            _primvar(curves, "meshlearn:vertex", lines, "vertex")
            _fields(curves, part.line_fields, "uniform")
        if len(points):
            cloud = UsdGeom.Points.Define(stage, f"{path}/points")
            cloud.CreatePointsAttr(_vectors(part.vertices[points]))
            _primvar(cloud, "meshlearn:vertex", points, "vertex")
            _fields(cloud, part.point_fields, "vertex")
    else:
        shape = _mesh(stage, path, part, materials)
    if part.transform is not None:
        matrix = np.asarray(part.transform, np.float64).T
        shape.AddTransformOp().Set(Gf.Matrix4d(*matrix.reshape(-1).tolist()))
    _named(shape.GetPrim(), part.name, made)
    return shape.GetPrim()


def _vectors(values: np.ndarray) -> Vt.Vec3fArray:
    with np.errstate(over="ignore"):
        return Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(values, np.float32))


def _ints(values: np.ndarray) -> Vt.IntArray:
    return Vt.IntArray.FromNumpy(np.ascontiguousarray(values, np.int32))


def _set(shape, part: Part) -> None:
    shape.CreatePointsAttr(_vectors(part.vertices))
    finite = np.isfinite(part.vertices).all(axis=1)
    if finite.any():
        box = np.stack([part.vertices[finite].min(0), part.vertices[finite].max(0)])
        shape.CreateExtentAttr(_vectors(box))


def _curves(stage, path: str, part: Part) -> UsdGeom.BasisCurves:
    curves = UsdGeom.BasisCurves.Define(stage, path)
    curves.CreateTypeAttr("linear")
    curves.CreateCurveVertexCountsAttr(_ints(np.array([len(line) for line in part.lines])))
    curves.CreatePointsAttr(_vectors(part.vertices[np.concatenate(part.lines)]))
    return curves


def _mesh(stage, path: str, part: Part, materials: list) -> UsdGeom.Mesh:
    mesh = UsdGeom.Mesh.Define(stage, path)
    _set(mesh, part)
    mesh.CreateFaceVertexCountsAttr(_ints(part.sizes))
    mesh.CreateFaceVertexIndicesAttr(_ints(part.polygon_index))
    mesh.CreateSubdivisionSchemeAttr("none")
    _fields(mesh, part.vertex_fields, "vertex")
    faces = {k: v for k, v in part.face_fields.items() if k not in ("material", "group")}
    hole = faces.get("hole")
    if hole is not None and hole.dtype == bool and hole.ndim == 1:
        mesh.CreateHoleIndicesAttr(_ints(np.nonzero(faces.pop("hole"))[0]))
    _fields(mesh, faces, "uniform")
    for key, field in part.corner_fields.items():
        _field(mesh, key, field.values, "faceVarying", field.index)
    taken: set[str] = set()
    label = part.face_fields.get("material")
    if label is not None and len(label):
        _bind(mesh, np.asarray(label), materials, taken)
    group = part.face_fields.get("group")
    for number, name in enumerate(part.groups):
        made = _identifier(name, "group", taken)
        index = np.nonzero(group == number)[0] if group is not None else np.zeros(0, np.int64)
        subset = UsdGeom.Subset.CreateGeomSubset(mesh, made, "face", _ints(index), "group")
        _named(subset.GetPrim(), name, made)
    return mesh


def _bind(mesh, label: np.ndarray, materials: list, taken: set[str]) -> None:
    used = np.unique(label).tolist()
    if len(used) == 1 and 0 <= used[0] < len(materials):
        UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(materials[used[0]])
        return
    for number in used:
        if 0 <= number < len(materials):
            made = _identifier(materials[number].GetPrim().GetName(), "material", taken)
            index = _ints(np.nonzero(label == number)[0])
            subset = UsdGeom.Subset.CreateGeomSubset(mesh, made, "face", index, "materialBind")
            UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(materials[number])
    UsdGeom.Subset.SetFamilyType(mesh, "materialBind", "nonOverlapping")


def _fields(shape, fields: dict[str, np.ndarray], interpolation: str) -> None:
    for key, values in fields.items():
        _field(shape, key, values, interpolation, None)


def _field(shape, key: str, values, interpolation: str, index: np.ndarray | None) -> None:
    """A field as what USD knows it by, or as a primvar of its name."""
    values = np.asarray(values)
    floats = values.ndim == 2 and values.dtype.kind in "fu"
    if key == "color" and floats and values.shape[1] in (3, 4):
        values = to_fractions(values)
        _primvar(shape, "displayColor", values[:, :3], interpolation, index, role="Color3f")
        if values.shape[1] == 4:
            _primvar(shape, "displayOpacity", values[:, 3], interpolation, index)
    elif key == "uv" and floats and values.shape[1] == 2 and values.dtype.kind == "f":
        _primvar(shape, "st", values, interpolation, index, role=_role("TexCoord2", values))
    elif (
        re.fullmatch(r"uv[1-9]\d?", key)
        and floats
        and values.shape[1] == 2
        and values.dtype.kind == "f"
    ):
        made, role = primvar_of(int(key[2:])), _role("TexCoord2", values)
        primvar = _primvar(shape, made, values, interpolation, index, role=role)
        _named(primvar.GetAttr(), key, made)
    elif (
        key == "normal"
        and floats
        and values.shape[1] == 3
        and values.dtype == np.float32
        and index is None
    ):
        shape.CreateNormalsAttr(_vectors(values))
        shape.SetNormalsInterpolation(interpolation)
    elif key == "normal" and floats and values.shape[1] == 3 and values.dtype.kind == "f":
        _primvar(shape, "normals", values, interpolation, index, role=_role("Normal3", values))
    else:
        reserved = key in ("displayColor", "displayOpacity", "normals", "st")
        taken = {str(p.GetPrimvarName()) for p in UsdGeom.PrimvarsAPI(shape).GetPrimvars()}
        taken |= {"displayColor", "displayOpacity", "normals", "st"} if reserved else set()
        made = key if _legal(key) and key not in taken else _identifier(key, "field", taken)
        primvar = _primvar(shape, made, values, interpolation, index)
        _named(primvar.GetAttr(), key, made)


def _legal(key: str) -> bool:
    return Sdf.Path.IsValidNamespacedIdentifier(key) and not key.endswith(":indices")


def _role(name: str, values: np.ndarray) -> str:
    return name + {2: "h", 4: "f", 8: "d"}[values.dtype.itemsize]


def _primvar(
    shape,
    name: str,
    values: np.ndarray,
    interpolation: str,
    index: np.ndarray | None = None,
    *,
    role: str = "",
) -> UsdGeom.Primvar:
    kind, array, size = _typed(values)
    if role:
        kind = getattr(Sdf.ValueTypeNames, f"{role}Array")
    primvar = UsdGeom.PrimvarsAPI(shape).CreatePrimvar(name, kind, interpolation, size)
    primvar.Set(array)
    if index is not None:
        primvar.SetIndices(_ints(index))
    return primvar


def _typed(values: np.ndarray):
    """The type of USD, the array, and how many entries of it one element has."""
    if values.dtype.kind in "USO":
        flat = [str(v) for v in values.reshape(-1)]
        width = max(1, values.size // max(len(values), 1))
        return Sdf.ValueTypeNames.StringArray, Vt.StringArray(flat), width
    values = np.ascontiguousarray(values)
    code = values.dtype.str[1:]
    if code not in _TYPES:
        values = values.astype(np.int32 if values.dtype.itemsize < 4 else np.float64)
        code = values.dtype.str[1:]
    name, vectors = _TYPES[code]
    if values.ndim > 1:
        values = as_table(values)
    width = values.shape[1] if values.ndim == 2 else 1
    if vectors and values.ndim == 2 and width in (2, 3, 4):
        letter = {"Half": "h", "Float": "f", "Double": "d", "Int": "i"}[name]
        array = getattr(Vt, f"Vec{width}{letter}Array").FromNumpy(values)
        return getattr(Sdf.ValueTypeNames, f"{name}{width}Array"), array, 1
    array = getattr(Vt, f"{name}Array").FromNumpy(values.reshape(-1))
    return getattr(Sdf.ValueTypeNames, f"{name}Array"), array, max(width, 1)
