"""Points of LAS and LAZ files by laspy: positions in double precision, and what else they have.

The names of fields are those of the standard (ASPRS LAS 1.4 R15); colours are the field "color", in
bytes where the file's 16 bits hold no more. Fields that are 0 everywhere are left out.
"""

from __future__ import annotations

import io
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.left_behind import Loss, LossKind

FREE, RATIO = 64 << 20, 200  # bytes that points may take, and for each byte of the file
_COLORS = ("red", "green", "blue")
_CODES = (3072, 2048)  # keys of projected and of geographic systems: numbers of the EPSG
_POSITION = ("X", "Y", "Z")


def need_library() -> None:
    """Raises ImportError, which names the extra, where a library is absent."""
    for name in ("laspy", "lazrs"):
        if find_spec(name) is None:
            raise ImportError(f"LAS and LAZ files need {name}: pip install 'meshlearn[las]'")


def read(data: bytes | bytearray, path: Path) -> Document:
    """Reads a LAS or LAZ file.

    Raises:
        FileFormatError: it is damaged, or promises more points than it can hold.
        ImportError: laspy or lazrs is not installed; names the extra.
    """
    need_library()
    if data[:4] != b"LASF":
        raise FileFormatError(f"{path}: expected a LAS file, which begins with 'LASF'")
    _check_promises(data, path)
    import laspy

    try:
        # one chunk after another: side by side, each gets room of the size that the file says
        backend = laspy.LazBackend.Lazrs
        with laspy.open(io.BytesIO(data), closefd=False, laz_backend=backend) as reader:
            header = reader.header
            size = int(header.point_count) * int(header.point_format.size)
            if size > FREE + RATIO * len(data):
                raise FileFormatError(
                    f"{path}: the header promises {header.point_count:,} points, the file has "
                    f"{len(data):,} bytes"
                )
            cloud = reader.read()
    except (FileFormatError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except (
        BaseException
    ) as error:  # of several classes, by what is damaged; a panic is no Exception
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileFormatError(f"{path}: not a legal LAS file: {text[:200]}") from None
    if len(cloud.points) != header.point_count:
        raise FileFormatError(
            f"{path}: the header promises {header.point_count:,} points, the file has "
            f"{len(cloud.points):,}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        vertices = np.ascontiguousarray(cloud.xyz, dtype=np.float64)
    part = Part(vertices=vertices, points=np.arange(len(vertices)))
    part.vertex_fields = _fields(cloud)
    document = Document([part])
    records = [*header.vlrs, *(getattr(cloud, "evlrs", None) or ())]
    for record in records:
        words = getattr(record, "string", None)
        if isinstance(words, str) and words:
            document.metadata["crs"] = words.rstrip("\0")
    keys = [key for record in records for key in getattr(record, "geo_keys", ())]
    if keys and "crs" not in document.metadata:
        document.left_out.append(_coordinate_system({key.id: key.value_offset for key in keys}))
    return document


def _coordinate_system(keys: dict[int, int]) -> Loss:
    """The loss of a coordinate system that GeoTIFF keys say."""
    code = next((keys[k] for k in _CODES if 1024 <= keys.get(k, 0) <= 32766), 0)
    name = f"coordinate system (EPSG:{code})" if code else "coordinate system"
    limit = "reads it as text (WKT), the file has GeoTIFF keys"
    return Loss(LossKind.OTHER, name=name, limit=limit, holder="the reader of LAS")


def _check_promises(data: bytes | bytearray, path: Path) -> None:
    """Raises FileFormatError where the header promises records that the file is too short for."""
    if len(data) < 227:
        raise FileFormatError(f"{path}: expected the header of a LAS file, it ends before")
    records = struct.unpack_from("<I", data, 100)[0]
    more = struct.unpack_from("<QI", data, 235) if data[25] >= 4 and len(data) >= 247 else (0, 0)
    for count, size in ((records, 54), (more[1], 60)):
        if count * size > len(data):
            raise FileFormatError(
                f"{path}: the header promises {count:,} records, the file has {len(data):,} bytes"
            )
    if data[104] & 0x80:
        _check_items(data, path)
        _check_chunks(data, path)


def _check_items(data: bytes | bytearray, path: Path) -> None:
    """Raises FileFormatError where the record of the compression (LASzip) names no items."""
    at, records = struct.unpack_from("<H", data, 94)[0], struct.unpack_from("<I", data, 100)[0]
    for _ in range(records):
        if at + 54 > len(data):
            break
        user, number, size = struct.unpack_from("<16sHH", data, at + 2)
        if user.startswith(b"laszip encoded") and number == 22204:
            body = at + 54
            if size >= 34 and body + 34 <= len(data):
                items = struct.unpack_from("<H", data, body + 32)[0]
                if items:
                    return
            break
        at += 54 + size
    raise FileFormatError(f"{path}: its points are compressed, and it does not say how (LASzip)")


def _check_chunks(data: bytes | bytearray, path: Path) -> None:
    """Raises FileFormatError where the table of compressed chunks promises more than there are
    bytes; the library takes room for as many as it says, and ends the process where there is none.

    Its place is said in front of the points, or in the last eight bytes of the file.
    """
    begin = struct.unpack_from("<I", data, 96)[0]
    for at in (begin, len(data) - 8):
        if not 0 <= at <= len(data) - 8:
            continue
        table = struct.unpack_from("<q", data, at)[0]
        if 0 <= table <= len(data) - 8:
            count = struct.unpack_from("<I", data, table + 4)[0]
            if count > len(data):
                raise FileFormatError(
                    f"{path}: its table promises {count:,} chunks, the file has {len(data):,} bytes"
                )


def _fields(cloud: Any) -> dict[str, np.ndarray]:
    """Everything of the points but their positions."""
    names = [n for n in cloud.point_format.dimension_names if n not in _POSITION]
    out: dict[str, np.ndarray] = {}
    if set(_COLORS) <= set(names):
        color = np.stack([np.asarray(cloud[name]) for name in _COLORS], axis=1)
        if color.any():
            out["color"] = _bytewise(color)
    for name in names:
        if name in _COLORS:
            continue
        values = np.array(cloud[name])
        if values.any():
            out[name] = values
    return out


def _bytewise(color: np.ndarray) -> np.ndarray:
    """Colours of 16 bits in bytes, where these hold them: as they are, or one behind the other."""
    if color.max() <= 255:
        return color.astype(np.uint8)
    high, low = color >> 8, color & 255
    if not low.any() or np.array_equal(high, low):
        return high.astype(np.uint8)
    return color.astype(np.uint16)
