"""What a USD layer holds, as plain arrays: the program of a child process, see `child`.

It imports nothing of meshlearn, since it starts for every first file. Each line of its input names
a folder with the layers "0.usda", "1.usdc" ... and the names that they have in their package; the
answer goes to the file "answer" in that folder, and a line to the output says that it is there.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any

MOST_PRIMS = 1_000_000
SOLIDS = ("Sphere", "Cube", "Cylinder", "Cone", "Capsule", "Plane")
_GEOMETRY = ("Mesh", "Points", "BasisCurves", *SOLIDS)


class _Answer:
    """JSON and arrays: length of the JSON (8 bytes), the JSON, the arrays."""

    def __init__(self) -> None:
        self.arrays: list[bytes] = []
        self.size = 0

    def keep(self, value: Any) -> object:
        """A value as JSON has it; arrays of numbers by their place."""
        import numpy as np

        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if type(value).__name__ == "AssetPath":
            return {"asset": value.path}
        if type(value).__name__ in ("StringArray", "TokenArray"):
            return {"text": list(value)}
        try:
            array = np.asarray(value)
        except (TypeError, ValueError):
            return None
        if array.dtype.kind not in "fiub":
            return None
        data = np.ascontiguousarray(array).tobytes()
        place = [array.dtype.str, list(array.shape), self.size]
        self.arrays.append(data)
        self.size += len(data)
        return {"array": place}

    def write(self, path: str, body: dict) -> None:
        text = json.dumps(body).encode()
        with open(path, "wb") as stream:
            stream.write(struct.pack("<Q", len(text)) + text)
            stream.writelines(self.arrays)


def limit(memory: int, seconds: float) -> None:
    """The process may take so many bytes and seconds above what it has taken; where the system can
    say so."""
    try:
        import resource

        with open("/proc/self/statm") as stream:
            now = int(stream.read().split()[5]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (now + memory, hard))
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, hard))
    except (ImportError, OSError, ValueError):
        pass


class _Needs(Exception):
    """Layers that are not there yet: the place of each in the package, and as it is named."""

    def __init__(self, layers: list[list[str]]) -> None:
        super().__init__()
        self.layers = layers


def _layers(folder: str, names: list[list[str]]) -> list:
    """The layers without a place on the disk; the dependencies among them bent to them."""
    from pxr import Sdf

    found, needs = [], []
    for name in names:
        layer = Sdf.Layer.OpenAsAnonymous(os.path.join(folder, name[0]))
        if layer is None:
            raise ValueError("it is not a layer of USD")
        found.append(layer)
    places = {name: layer.identifier for (_, name), layer in zip(names, found, strict=True)}
    for (_, own), layer in zip(names, found, strict=True):
        base = os.path.dirname(own)
        for asset in sorted(layer.GetCompositionAssetDependencies()):
            if not asset:
                continue
            inner = os.path.normpath(os.path.join(base, asset))
            place = places.get(inner) or places.get(os.path.normpath(asset))
            if place is None:
                needs.append([inner, asset])
                continue
            layer.UpdateCompositionAssetDependency(asset, place)
        _drop_clips(layer)
    if needs:
        raise _Needs(needs)
    return found


def _drop_clips(layer) -> None:
    """Clips name files of animations, which are not opened."""

    def visit(path) -> None:
        prim = layer.GetPrimAtPath(path) if path.IsPrimPath() else None
        if prim is not None and prim.HasInfo("clips"):
            prim.ClearInfo("clips")

    layer.Traverse("/", visit)


class _Dump:
    """The content of a stage.

    Args:
        folders: where each layer is in the package, by its identifier.
    """

    def __init__(self, stage, answer: _Answer, folders: dict[str, str]) -> None:
        from pxr import Usd, UsdGeom

        self.stage, self.answer, self.folders = stage, answer, folders
        self.moving = 0
        self.within: list[str] = []  # instancers whose prototypes are being taken
        self.time = Usd.TimeCode.EarliestTime()
        self.places = UsdGeom.XformCache(self.time)
        self.materials: dict[str, dict] = {}
        self.skipped: dict[str, int] = {}
        self.posed = _pose(stage, self.skip)

    def value(self, attribute) -> object:
        return self.answer.keep(attribute.Get(self.time)) if attribute else None

    def scene(self) -> dict:
        from pxr import Usd, UsdGeom, UsdLux, UsdShade

        stage, root = self.stage, self.stage.GetRootLayer()
        prims: list[dict] = []
        count = 0
        stream = iter(Usd.PrimRange.Stage(stage, Usd.TraverseInstanceProxies()))
        for prim in stream:
            count += 1
            if count > MOST_PRIMS:
                raise ValueError(f"it has more than {MOST_PRIMS:,} prims")
            kind = str(prim.GetTypeName())
            if prim.IsA(UsdGeom.Xformable):
                self.moving += UsdGeom.Xformable(prim).TransformMightBeTimeVarying()
            if prim.IsA(UsdShade.Material):
                self.material(UsdShade.Material(prim))
            elif prim.IsA(UsdGeom.PointInstancer):
                stream.PruneChildren()  # its prototypes are no geometry where they stand
                for entry, matrix in self.instances(UsdGeom.PointInstancer(prim), len(prims)):
                    prims.append({**entry, "matrix": _flat(matrix)})
            elif kind in _GEOMETRY:
                if self.invisible(prim):
                    self.skip(f"invisible {kind}")
                elif UsdGeom.Imageable(prim).ComputePurpose() in ("proxy", "guide"):
                    self.skip(f"{kind} of another purpose than rendering")
                else:
                    prims.append(self.geometry(prim, kind))
            elif prim.IsA(UsdGeom.Gprim):
                self.skip(kind)
            elif prim.IsA(UsdGeom.Camera) or prim.HasAPI(UsdLux.LightAPI):
                self.skip(kind)
        said = stage.HasAuthoredMetadata
        return {
            "prims": prims,
            "materials": self.materials,
            "skipped": self.skipped,
            "moving": self.moving,
            "posed": self.posed,
            "up": UsdGeom.GetStageUpAxis(stage) if said("upAxis") else None,
            "unit": _number(stage.GetMetadata("metersPerUnit")) if said("metersPerUnit") else None,
            "comment": root.comment,
            "custom": _plain(root.customLayerData),
        }

    def skip(self, kind: str) -> None:
        self.skipped[kind] = self.skipped.get(kind, 0) + 1

    def invisible(self, prim) -> bool:
        from pxr import UsdGeom

        return UsdGeom.Imageable(prim).ComputeVisibility(self.time) == UsdGeom.Tokens.invisible

    def instances(self, instancer, before: int) -> list[tuple[dict, Any]]:
        """The geometry of prototypes once for each place, and the matrix that puts it there; the
        copies share their arrays."""
        from pxr import UsdGeom

        if str(instancer.GetPath()) in self.within:
            raise ValueError(f"{instancer.GetPath()} is a prototype of itself")
        if self.invisible(instancer.GetPrim()):
            self.skip("invisible PointInstancer")
            return []
        chosen = instancer.GetProtoIndicesAttr().Get(self.time) or []
        mask = instancer.ComputeMaskAtTime(self.time)
        apply = UsdGeom.PointInstancer.IncludeProtoXform
        places = instancer.ComputeInstanceTransformsAtTime(
            self.time, self.time, apply, UsdGeom.PointInstancer.IgnoreMask
        )
        if not places or len(places) != len(chosen):
            if len(chosen):
                raise ValueError(
                    f"{instancer.GetPath()} has {len(chosen)} protoIndices, and not as many places"
                )
            return []
        world = self.places.GetLocalToWorldTransform(instancer.GetPrim())
        found: list[list[tuple[dict, Any]]] = []
        self.within.append(str(instancer.GetPath()))
        for target in instancer.GetPrototypesRel().GetForwardedTargets():
            root = self.stage.GetPrimAtPath(target)
            found.append(self.prototype(root, before) if root else [])
            if not root:
                self.skip("prototype that is not there")
        self.within.pop()
        out: list[tuple[dict, Any]] = []
        for k, (number, place) in enumerate(zip(chosen, places, strict=True)):
            if len(mask) and not mask[k]:
                self.skip("invisible instance")
            elif not 0 <= number < len(found):
                raise ValueError(f"{instancer.GetPath()} names prototype {number}, which it lacks")
            else:
                for entry, own in found[number]:
                    out.append((entry, own * place * world))
                    if before + len(out) > MOST_PRIMS:
                        raise ValueError(f"it has more than {MOST_PRIMS:,} prims")
        return out

    def prototype(self, root, before: int) -> list[tuple[dict, Any]]:
        """The geometry below a prototype, with its place in it."""
        from pxr import Usd, UsdGeom

        out: list[tuple[dict, Any]] = []
        away = self.places.GetLocalToWorldTransform(root).GetInverse()
        every = Usd.TraverseInstanceProxies(Usd.PrimAllPrimsPredicate)
        stream = iter(Usd.PrimRange(root, every))
        for prim in stream:
            kind = str(prim.GetTypeName())
            if prim.IsA(UsdGeom.PointInstancer):
                stream.PruneChildren()
                inner = self.instances(UsdGeom.PointInstancer(prim), before + len(out))
                out += [(entry, matrix * away) for entry, matrix in inner]
                continue
            said = set()
            if prim.IsA(UsdGeom.Imageable):
                names = ("visibility", "purpose")
                said = {str(prim.GetAttribute(n).Get(self.time)) for n in names}
            if said & {"invisible", "proxy", "guide"}:
                stream.PruneChildren()  # of the prototype alone: what is above it does not count
                self.skip(f"invisible {kind}" if "invisible" in said else f"{kind} for proxies")
            elif kind in _GEOMETRY:
                entry = self.geometry(prim, kind)
                entry.pop("group", None)
                out.append((entry, self.places.GetLocalToWorldTransform(prim) * away))
            elif prim.IsA(UsdGeom.Gprim):
                self.skip(f"{kind} as a prototype")
        return out

    def geometry(self, prim, kind: str) -> dict:
        from pxr import UsdGeom, UsdShade

        matrix = self.places.GetLocalToWorldTransform(prim)
        out: dict = {
            "type": kind,
            "path": str(prim.GetPath()),
            "name": _name(prim),
            "parent": str(prim.GetParent().GetPath()),
            "matrix": _flat(matrix),
            "attributes": {},
            "primvars": [],
            "subsets": [],
        }
        parent = prim.GetParent().GetCustomDataByKey("meshlearn")
        if isinstance(parent, dict) and parent.get("part"):
            out["group"] = _name(prim.GetParent())
        for name in (
            *("points", "normals", "faceVertexCounts", "faceVertexIndices", "holeIndices"),
            *("orientation", "curveVertexCounts", "type", "wrap", "ids", "widths"),
            *("velocities", "accelerations"),
        ):
            attribute = prim.GetAttribute(name)
            if attribute and attribute.HasValue():
                out["attributes"][name] = self.value(attribute)
        if kind in SOLIDS:
            names = ("size", "radius", "height", "axis", "width", "length")
            said = {n: prim.GetAttribute(n).Get(self.time) for n in names if prim.GetAttribute(n)}
            out["solid"] = {n: self.answer.keep(v) for n, v in said.items()}
            out["normals"] = "vertex"
        else:
            out["normals"] = str(UsdGeom.PointBased(prim).GetNormalsInterpolation())
            self.moving += prim.GetAttribute("points").ValueMightBeTimeVarying()
            if out["attributes"].get("type") == "cubic":
                self.skip("BasisCurves bent between their points, which are joined")
            scheme = prim.GetAttribute("subdivisionScheme")
            smooth = scheme and scheme.HasAuthoredValue() and kind == "Mesh"
            if smooth and str(scheme.Get()) in ("catmullClark", "loop"):
                self.skip("smoothing of subdivision surfaces")
        for primvar in UsdGeom.PrimvarsAPI(prim).FindPrimvarsWithInheritance():
            carried = self.posed and str(primvar.GetPrimvarName()).startswith("skel:")
            if primvar.HasValue() and not carried:
                out["primvars"].append(self.primvar(primvar))
        bound, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
        out["material"] = self.material(bound) if bound else None
        sided = prim.GetAttribute("doubleSided")
        out["double_sided"] = bool(sided and sided.Get(self.time))
        for child in prim.GetChildren():
            if child.IsA(UsdGeom.Subset):
                out["subsets"].append(self.subset(UsdGeom.Subset(child)))
        return out

    def primvar(self, primvar) -> dict:
        attribute = primvar.GetAttr()
        return {
            "name": _name(attribute, str(primvar.GetPrimvarName())),
            "plain": str(primvar.GetPrimvarName()),
            "role": str(primvar.GetTypeName()),
            "interpolation": str(primvar.GetInterpolation()),
            "size": primvar.GetElementSize(),
            "values": self.value(attribute),
            "indices": self.value(primvar.GetIndicesAttr()) if primvar.IsIndexed() else None,
        }

    def subset(self, subset) -> dict:
        from pxr import UsdShade

        binding = UsdShade.MaterialBindingAPI(subset.GetPrim())
        direct = binding.GetDirectBinding().GetMaterial()
        return {
            "name": _name(subset.GetPrim()),
            "element": str(subset.GetElementTypeAttr().Get()),
            "family": str(subset.GetFamilyNameAttr().Get() or ""),
            "indices": self.value(subset.GetIndicesAttr()),
            "material": self.material(direct) if direct else None,
        }

    def material(self, material) -> str:
        """Takes a material; its path."""
        path = str(material.GetPath())
        if path in self.materials:
            return path
        entry: dict = {"name": _name(material.GetPrim()), "inputs": {}, "textures": {}}
        entry |= {"surface": "", "beyond": []}
        self.materials[path] = entry
        shader = self.surface(material)
        entry["surface"] = str(shader.GetIdAttr().Get() or "without a name") if shader else ""
        if entry["surface"] != "UsdPreviewSurface":
            return path
        for item in shader.GetInputs()[:100]:
            name = str(item.GetBaseName())
            feeds = item.GetValueProducingAttributes()[:1]
            owner = _shader_of(feeds[0]) if feeds else None
            if owner is not None and owner.GetIdAttr().Get() == "UsdUVTexture":
                entry["textures"][name] = self.texture(owner, feeds[0])
            elif owner is not None:
                kind = str(owner.GetIdAttr().Get() or "without a name")
                told = _input(owner, "varname", self.time) if "PrimvarReader" in kind else None
                if (name, told) == ("diffuseColor", "displayColor"):
                    entry["colors"] = True
                else:
                    entry["beyond"].append(f"{name} by the shader {kind}")
            elif feeds:
                entry["inputs"][name] = _number(feeds[0].Get(self.time))
        return path

    def surface(self, material):
        """The shader of a material's surface, that for every renderer where there is one."""
        source = material.ComputeSurfaceSource()
        found = source[0] if isinstance(source, tuple) else source
        for output in [] if found else material.GetSurfaceOutputs()[:20]:
            feeds = output.GetValueProducingAttributes()[:1]
            found = _shader_of(feeds[0]) if feeds else None
            if found:
                break
        return found

    def coordinates(self, item, found: dict) -> None:
        """Which primvar a texture is looked up at, and its transform."""
        for _ in range(8):
            feeds = item.GetValueProducingAttributes()[:1] if item else []
            shader = _shader_of(feeds[0]) if feeds else None
            kind = str(shader.GetIdAttr().Get() or "") if shader else ""
            if shader and kind == "UsdTransform2d":
                if "transform" in found:
                    found["transforms"] = True
                else:
                    names = ("rotation", "scale", "translation")
                    said = {n: _number(_input(shader, n, self.time)) for n in names}
                    said = {n: v for n, v in said.items() if v is not None}
                    found |= {"transform": said} if said else {}
                item = shader.GetInput("in")
                continue
            if kind.startswith("UsdPrimvarReader_float2"):
                found["varname"] = str(_input(shader, "varname", self.time) or "")
            return

    def texture(self, shader, output) -> dict:
        found: dict[str, object] = {"channel": str(output.GetBaseName())}
        for item in shader.GetInputs()[:100]:
            name = str(item.GetBaseName())
            if name == "st":
                self.coordinates(item, found)
                continue
            feeds = item.GetValueProducingAttributes()[:1]
            value: Any = feeds[0].Get(self.time) if feeds else None
            if type(value).__name__ == "AssetPath":
                value = value.path
                specs = feeds[0].GetPropertyStack(self.time)[:1]
                home = self.folders.get(specs[0].layer.identifier, "") if specs else ""
                if home:
                    found["folder"] = home
            found[name] = _number(value)
        return found


def _shader_of(attribute):
    from pxr import UsdShade

    name = attribute.GetName()
    return UsdShade.Shader(attribute.GetPrim()) if name.startswith("outputs:") else None


def _flat(matrix) -> list[float]:
    """A matrix of USD, which is applied to rows, as one that is applied to columns."""
    return [matrix[column][row] for row in range(4) for column in range(4)]


def _pose(stage, skip) -> int:
    """Puts skinned meshes where their skeletons have them first; how many skeletons there are."""
    from pxr import Gf, Tf, Usd, UsdSkel

    proxies = Usd.TraverseInstanceProxies()
    count, times = 0, set()
    stage.SetEditTarget(stage.GetSessionLayer())
    for number, prim in enumerate(Usd.PrimRange.Stage(stage, proxies)):
        if number > MOST_PRIMS:
            break
        if prim.IsA(UsdSkel.Animation):
            for name in ("translations", "rotations", "scales", "blendShapeWeights"):
                times |= set(prim.GetAttribute(name).GetTimeSamples()[:1])
        count += prim.IsA(UsdSkel.Skeleton)
    if not count:
        return 0
    for _ in range(64):  # instances share what would be changed
        held = [p for p in stage.Traverse() if p.IsInstance() and _has_skeleton(p)]
        for prim in held[:MOST_PRIMS]:
            prim.SetInstanceable(False)
        if not held:
            break
    first = min(times, default=0.0)
    try:
        UsdSkel.BakeSkinning(Usd.PrimRange.Stage(stage), Gf.Interval(first, first))
    except Tf.ErrorException:
        skip("skinning of meshes")
    return count


def _has_skeleton(prim) -> bool:
    from pxr import Usd, UsdSkel

    return any(p.IsA(UsdSkel.Root) for p in Usd.PrimRange(prim, Usd.TraverseInstanceProxies()))


def _input(shader, name: str, time) -> object:
    """The value of a shader's input, its own or of the interface that feeds it."""
    item = shader.GetInput(name)
    feeds = item.GetValueProducingAttributes()[:1] if item else []
    return feeds[0].Get(time) if feeds else None


def _number(value: object) -> object:
    """Numbers and short vectors as JSON has them."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    try:
        return [float(x) for x in value][:16]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None


def _plain(value: object, depth: int = 0) -> object:
    if isinstance(value, dict):
        found = {str(k): _plain(v, depth + 1) for k, v in value.items()} if depth < 8 else {}
        return {k: v for k, v in found.items() if v is not None}
    return value if isinstance(value, (bool, int, float, str)) else None


def _name(item, default: str | None = None) -> str:
    """The name that was meant, where identifiers could not say it."""
    own = item.GetCustomDataByKey("meshlearn")
    if isinstance(own, dict) and isinstance(own.get("name"), str):
        return own["name"]
    return str(item.GetDisplayName() or default or item.GetName())


def serve(folder: str, names: list[list[str]]) -> None:
    """Writes the answer to one request."""
    from pxr import Tf, Usd

    answer = _Answer()
    try:
        layers = _layers(folder, names)
        stage = Usd.Stage.Open(layers[0])
        pairs = zip(names, layers, strict=True)
        folders = {layer.identifier: os.path.dirname(name) for (_, name), layer in pairs}
        body = _Dump(stage, answer, folders).scene()
    except _Needs as needs:
        body = {"needs": needs.layers}
    except Tf.ErrorException as error:
        body, answer = {"error": _sentence(error, folder)}, _Answer()
    except (ValueError, TypeError, RuntimeError) as error:
        body, answer = {"error": str(error) or type(error).__name__}, _Answer()
    answer.write(os.path.join(folder, "answer"), body)


def _sentence(error: Exception, folder: str) -> str:
    """What an error of the library says, without where in its source it was said."""
    try:
        text = str(error)
    except UnicodeDecodeError:  # the message quotes a layer that is not text
        return "it is damaged"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = lines[0].split(" : ", 1)[-1].strip("'") if lines else ""
    return said.replace(folder + os.sep, "").replace("pxrInternal_", "")[:300]


def main() -> None:
    sys.path += sys.argv[1:]
    import numpy  # noqa: F401
    from pxr import Usd, UsdGeom, UsdShade

    warm = Usd.Stage.CreateInMemory()  # what the library sets up at its first use is no file's
    UsdGeom.Mesh.Define(warm, "/a").CreatePointsAttr([(0, 0, 0)])
    UsdShade.Material.Define(warm, "/m")
    del warm
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        limit(request["memory"], request["seconds"])
        serve(request["folder"], request["layers"])
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
