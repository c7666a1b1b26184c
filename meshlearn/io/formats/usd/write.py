"""Writing USD files, see `meshlearn.io.formats.usd.read`."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from meshlearn.io.changes.placement import metres
from meshlearn.io.document import Document, FileFormatError
from meshlearn.io.formats.usd.child import need_library
from meshlearn.io.formats.usd.looks import words_of
from meshlearn.io.formats.usd.material import inputs_of
from meshlearn.io.image_changes import with_images_as_png
from meshlearn.io.image_names import image_places, with_images_named
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.looks import Looks, losses_of_looks

_KEPT = ("png", "jpg", "exr", "avif", "hdr")  # types of images


def losses(document: Document) -> Iterator[Loss]:
    """What a USD file cannot hold beyond what its `Holds` says."""
    if document.up == "x":
        yield Loss(LossKind.UP_AXIS, name="x", limit="has y or z up")
    if document.unit and metres(document.unit) is None:
        yield Loss(LossKind.UNIT, name=document.unit, limit="has units of metres")
    yield from losses_of_looks(
        (m.looks, words_of(m.looks)[2])
        if "usd" not in m.values
        else (Looks(beyond=tuple(m.values["usd"].get("beyond", ()))), ())
        for m in document.materials
        if m.looks is not None
    )
    kept = {"base_color", "base_texture", "usd"}
    beyond = sum(len(set(m.values) - kept) for m in document.materials if m.looks is None)
    limit = "files are written with colour and texture of other formats' materials"
    yield Loss(LossKind.MATERIAL_VALUES, count=beyond, limit=limit)
    for part in document.parts:
        for domain in ("vertex", "face"):
            for key, values in getattr(part, f"{domain}_fields").items():
                if values.ndim > 2:
                    yield Loss(LossKind.FIELD_SHAPE, domain, key, len(values))


def prepare(document: Document) -> Document:
    """The document with images of types that programs of USD, and its packages, have."""
    used = [str(said.get("file")) for m in document.materials for said in inputs_of(m)[1].values()]
    return with_images_as_png(document, used, kept=_KEPT, format="USD", open_to=("",))


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes | dict[str, bytes]:
    """A USD layer, with the images of textures beside it, or with them in a .usdz.

    Args:
        ascii: text, for a .usd; a .usda is text always, .usdc and .usdz are binary.

    Raises:
        FileFormatError: no text variant.
        ImportError: usd-core is not installed.
    """
    need_library()
    from meshlearn.io.formats.usd.stage import make_stage  # it imports usd-core

    suffix = path.suffix.lower()
    if ascii and suffix in (".usdc", ".usdz"):
        raise FileFormatError(f"{path}: a {suffix} is binary; write a .usda, or leave ascii out")
    document = with_images_named(document, image_places(document, path))
    stage = make_stage(document)  # the layer lives as long as this does
    layer = stage.GetRootLayer()
    images = document.images
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
