"""Writing USD files, see `meshlearn.io.formats.usd.read`."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from meshlearn.io.capability import ANY, NONE, Holds, losses_of
from meshlearn.io.changes.placement import METRES
from meshlearn.io.document import Document, FileFormatError, Material
from meshlearn.io.formats.usd.child import need_library
from meshlearn.io.left_behind import Loss

HOLDS = Holds(
    "USD",
    vertex=ANY,
    face=ANY,
    corner=ANY,
    text=True,
    double=False,
    lines=True,
    points=True,
    cells=NONE,
    parts=True,
    names=True,
    transforms=True,
    groups=True,
    materials=True,
    textures=True,
    up=True,
    unit=True,
    metadata=frozenset({"comments", "usd"}),
    element_fields=True,
)
_INPUTS = {  # of UsdPreviewSurface, https://openusd.org/release/spec_usdpreviewsurface.html
    **dict.fromkeys(("diffuseColor", "emissiveColor", "specularColor"), "Color3f"),
    "normal": "Normal3f",
    **dict.fromkeys(("useSpecularWorkflow", "opacityMode"), "Int"),
    **dict.fromkeys(
        ("opacity", "opacityThreshold", "metallic", "roughness", "clearcoat", "ior"), "Float"
    ),
    **dict.fromkeys(("clearcoatRoughness", "occlusion", "displacement"), "Float"),
}


def losses(document: Document) -> list[str | Loss]:
    """What a USD file cannot hold of this document."""
    lost = losses_of(document, HOLDS)
    if document.up == "x":
        lost.append(Loss("up axis 'x'", "USD has y or z up"))
    if document.unit and metres(document.unit) is None:
        lost.append(Loss(f"unit {document.unit!r}", "USD has units of metres"))
    beyond = sum(
        len(set(m.values) - {"base_color", "base_texture", "usd"}) for m in document.materials
    )
    if beyond:
        why = "USD files are written with colour and texture of other formats' materials"
        lost.append(Loss("other values of materials", why, beyond))
    for part in document.parts:
        for key, kinds in part.cell_fields.items():
            count = sum(map(len, kinds.values()))
            lost.append(Loss(f"cell field {key!r}", "USD has no fields of cells", count))
        for domain in ("vertex", "face"):
            for key, values in getattr(part, f"{domain}_fields").items():
                if values.ndim > 2:
                    why = "USD has rows of numbers"
                    lost.append(Loss(f"shape of {domain} field {key!r}", why, len(values)))
    return lost


def metres(unit: str) -> float | None:
    word, _, rest = unit.partition(" ")
    try:
        found = METRES.get(unit) if not rest else float(word) if rest == "m" else None
    except ValueError:
        return None
    return found if found and np.isfinite(found) and found > 0 else None


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes | dict[str, bytes]:
    """A USD layer, with the images of textures beside it, or with them in a .usdz.

    Args:
        ascii: text, for a .usd; a .usda is text always, .usdc and .usdz are binary.

    Raises:
        FileFormatError: no text variant.
        ImportError: usd-core is not installed.
    """
    need_library()
    from meshlearn.io.formats.usd.stage import make_stage

    suffix = path.suffix.lower()
    if ascii and suffix in (".usdc", ".usdz"):
        raise FileFormatError(f"{path}: a {suffix} is binary; write a .usda, or leave ascii out")
    stage = make_stage(document)  # the layer lives as long as this does
    layer = stage.GetRootLayer()
    images = {n: data for n, data in document.images.items() if Path(n).name == n != path.name}
    if suffix == ".usda" or ascii:
        data = layer.ExportToString().encode()
    else:
        with tempfile.TemporaryDirectory(prefix="meshlearn-usd-") as folder:
            place = Path(folder) / "layer.usdc"
            layer.Export(str(place))
            data = place.read_bytes()
    if suffix == ".usdz":
        return pack_aligned({f"{path.stem or 'layer'}.usdc": data, **images})
    return {path.name: data, **images} if images else data


def pack_aligned(members: dict[str, bytes]) -> bytes:
    """A zip file whose members are not packed, and begin at multiples of 64 bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            begin = out.tell() + 30 + len(name.encode()) + 4
            gap = -begin % 64
            info.extra = struct.pack("<HH", 0x1986, gap) + bytes(gap)
            archive.writestr(info, data)
    return out.getvalue()


def inputs_of(material: Material) -> tuple[dict[str, object], dict[str, dict]]:
    """Values and textures of a surface, by the names of UsdPreviewSurface."""
    said = material.values.get("usd")
    if isinstance(said, dict):
        return dict(said.get("inputs", {})), dict(said.get("textures", {}))
    inputs: dict[str, object] = {}
    textures: dict[str, dict] = {}
    colour = material.values.get("base_color")
    if colour is not None:
        inputs["diffuseColor"] = [float(c) for c in colour[:3]]
        if len(colour) > 3 and colour[3] != 1:
            inputs["opacity"] = float(colour[3])
    if material.values.get("base_texture"):
        textures["diffuseColor"] = {"file": str(material.values["base_texture"]), "channel": "rgb"}
    return inputs, textures


def type_of_input(name: str) -> str:
    """The type of an input of UsdPreviewSurface; "" where it has none of that name."""
    return _INPUTS.get(name, "")
