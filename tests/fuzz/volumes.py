"""Files of volumes for the fuzzer: seeds, and what is done with each."""

from __future__ import annotations

import gzip
import tempfile
import warnings
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from meshlearn.io import load_document
from meshlearn.io.volumes.labels import all_labels, label_field
from meshlearn.io.volumes.samples import Wanted, bounds_of, labels_of
from meshlearn.io.volumes.table import read_samples
from tests.io.pieces import GRID, VTR, VTS, vti

SHAPE = (3, 4, 5)
_VALUES = np.arange(60, dtype="<i2").reshape(SHAPE, order="F") % 4
_RAW = _VALUES.tobytes(order="F")
NAMES = ["v.nii", "v.img", "v.nrrd", "v.nhdr", "v.mha", "v.mhd", "v.mgh", "v.npz", "v.vtk"]
NAMES += ["v.vti", "v.vts", "v.vtr", "v.pvti", "v.vtm"]
if find_spec("pydicom") is not None:
    NAMES.append("v.dcm")


def _nifti() -> list[bytes]:
    out = []
    for order in "<>":
        head = np.zeros(352, "u1")

        def put(at: int, values, kind: str, head=head, order=order) -> None:
            raw = np.atleast_1d(np.asarray(values, order + kind)).tobytes()
            head[at : at + len(raw)] = np.frombuffer(raw, "u1")

        put(0, 348, "i4")
        put(40, [3, *SHAPE, 1, 1, 1, 1], "i2")
        put(70, [4, 16], "i2")
        put(76, [-1, 0.5, 0.8, 2, 1, 1, 1, 1], "f4")
        put(108, [352, 1, 0], "f4")
        put(123, 2, "u1")
        put(252, [1, 1 if order == "<" else 0], "i2")
        put(256, [0.1, 0.2, 0.3, 5, 6, 7], "f4")
        put(280, [0.5, 0, 0, 1, 0, 0.8, 0, 2, 0, 0, 2, 3], "f4")
        head[344:347] = np.frombuffer(b"n+1", "u1")
        out.append(head.tobytes() + _VALUES.astype(order + "i2").tobytes(order="F"))
    head = bytearray(out[0])
    head[40:50] = np.array([4, 3, 4, 1, 5], "<i2").tobytes()
    return [*out, bytes(head)]


def _nrrd(data: str = "") -> list[bytes]:
    head = "NRRD0005\ntype: short\ndimension: 3\nsizes: 3 4 5\nendian: little\n"
    placed = 'space: left-posterior-superior\nspace origin: (1,2,3)\nspace units: "mm" "mm" "mm"\n'
    placed += "space directions: (0.5,0,0) (0,0.6,0.8) (0,-1.6,1.2)\nkinds: domain domain domain\n"
    plain = "spacings: 1 2 3\naxis mins: 0 1 2\ncenters: cell node cell\nbyte skip: 0\n"
    named = "# a\nSegment0_Name:=liver\nSegment0_LabelValue:=2\n"
    if data:
        some = head + placed + "encoding: {}\ndata file: {}\n\n"
        listed = head + "encoding: raw\ndata file: LIST\n" + "\n".join(["s1.raw"] * 5) + "\n"
        pattern = head + "encoding: raw\ndata file: s%d.raw 1 5 1\n"
        files = [some.format("raw", "v.raw"), some.format("gzip", "v.raw.gz"), listed, pattern]
        return [text.encode() for text in files]
    four = head.replace("dimension: 3\nsizes: 3 4 5", "dimension: 4\nsizes: 5 3 4 1")
    four += "kinds: list domain domain domain\nspace dimension: 3\n"
    four += "space directions: none (1,0,0) (0,1,0) (0,0,1)\n"
    words = " ".join(map(str, _VALUES.reshape(-1, order="F"))).encode()
    return [
        (head + placed + named + "encoding: raw\n\n").encode() + _RAW,
        (head + plain + "encoding: gzip\n\n").encode() + gzip.compress(_RAW, mtime=0),
        (head + placed + "encoding: ascii\n\n").encode() + words,
        (head + placed + "encoding: hex\n\n").encode() + _RAW.hex().encode(),
        (four + "encoding: raw\n\n").encode() + _RAW,
    ]


def _meta(data: str) -> list[bytes]:
    head = "ObjectType = Image\nNDims = 3\nDimSize = 3 4 5\nElementType = MET_SHORT\n"
    placed = "TransformMatrix = 0 1 0 -1 0 0 0 0 1\nOffset = 1 2 3\nElementSpacing = 0.5 0.8 2\n"
    placed += "AnatomicalOrientation = RAI\nElementByteOrderMSB = False\n"
    if data != "LOCAL":
        names = ["v.raw", "s%d.raw 1 5 1", "LIST\n" + "\n".join(["s1.raw"] * 5)]
        some = [head + placed + f"HeaderSize = 0\nElementDataFile = {n}\n" for n in names]
        return [text.encode() for text in some]
    packed = head + placed + "CompressedData = True\nElementDataFile = LOCAL\n"
    return [
        (head + placed + "ElementDataFile = LOCAL\n").encode() + _RAW,
        packed.encode() + zlib.compress(_RAW),
        (head.replace("NDims = 3\nDimSize = 3 4 5", "NDims = 4\nDimSize = 3 4 1 5")).encode()
        + b"ElementDataFile = LOCAL\n"
        + _RAW,
    ]


def _mgh() -> list[bytes]:
    out = []
    for frames in (1, 5):
        head = np.array([1, 3, 4, 5 // frames, frames, 4, 0], ">i4").tobytes()
        head += np.array([1], ">i2").tobytes()
        head += np.array([0.5, 0.8, 2, -1, 0, 0, 0, 0, -1, 0, 1, 0, 1, 2, 3], ">f4").tobytes()
        out.append(head.ljust(284, b"\0") + _VALUES.astype(">i2").tobytes(order="F"))
    return out


def _dicom(folder: Path) -> list[bytes]:
    from tests.io.test_dicom import NORMAL, write

    out = []
    for k in range(3):
        write(folder, f"{k}", _VALUES[:, :, k], NORMAL * 2.5 * k)
        out.append((folder / f"{k}").read_bytes())
    return out


def seeds(name: str) -> list[bytes]:
    """Files of a name to begin with."""
    if name == "v.npz":
        with tempfile.TemporaryDirectory() as folder:
            np.savez_compressed(Path(folder, "a.npz"), sdf=_VALUES, spacing=[1.0, 2, 3])
            return [Path(folder, "a.npz").read_bytes()]
    if name == "v.dcm":
        with tempfile.TemporaryDirectory() as folder:
            return _dicom(Path(folder))
    image = vti("0 1 0 1 0 1", "Spacing='1 2 3'")
    piece = '<VTKFile type="PImageData"><PImageData><Piece Source="p.vti"/></PImageData></VTKFile>'
    block = (
        '<VTKFile type="vtkMultiBlockDataSet"><vtkMultiBlockDataSet><Block name="a"><DataSet '
        'name="b" file="p.vti"/></Block><DataSet file="v.vtm"/></vtkMultiBlockDataSet></VTKFile>'
    )
    data = "<PointData><DataArray type='Int8' Name='a' format='ascii'>0 1 2 3 4 5 6 7</DataArray>"
    data += "</PointData></Piece>"
    table = {
        "v.nii": _nifti,
        "v.img": lambda: [
            (raw[:108] + bytes(4) + raw[112:]).replace(b"n+1\0", b"ni1\0")[:348] for raw in _nifti()
        ],
        "v.nrrd": _nrrd,
        "v.nhdr": lambda: _nrrd("x"),
        "v.mha": lambda: _meta("LOCAL"),
        "v.mhd": lambda: _meta("x"),
        "v.mgh": _mgh,
        "v.vtk": lambda: [GRID.encode()],
        "v.vti": lambda: [image.encode()],
        "v.vts": lambda: [VTS.replace("</Piece>", data).encode()],
        "v.vtr": lambda: [VTR.replace("</Piece>", data).encode()],
        "v.pvti": lambda: [piece.encode()],
        "v.vtm": lambda: [block.replace("v.vtm", "p.vti").encode(), block.encode()],
    }
    return table[name]()


_slices: list[bytes] = []


def read(name: str, data: bytes) -> None:
    """Reads a volume in a folder, the rest of which is as it should be, and its labels.

    Raises:
        ValueError: it is none.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, name)
        if name == "v.dcm":
            _slices[:] = _slices or seeds(name)
            for k, body in enumerate(_slices[1:]):
                Path(folder, f"{k}").write_bytes(body)
        elif name in ("v.nhdr", "v.mhd"):
            Path(folder, "v.raw").write_bytes(_RAW)
            Path(folder, "v.raw.gz").write_bytes(gzip.compress(_RAW))
            for k in range(1, 6):
                Path(folder, f"s{k}.raw").write_bytes(_RAW[24 * k - 24 : 24 * k])
        elif name in ("v.pvti", "v.vtm"):
            Path(folder, "p.vti").write_text(vti("0 1 0 1 0 1"))
        elif name == "v.img":
            path.write_bytes(_RAW)
        target = path.with_suffix(".hdr") if name == "v.img" else path
        target.write_bytes(data)
        try:
            if name == "v.vtm":
                load_document(path)
                return
            samples = read_samples(path.parent if name == "v.dcm" else path, Wanted(any=True))
            bounds_of(samples)
            if labels_of(samples.values):
                label_field(samples, all_labels(samples)[0])
        except ValueError as error:
            if folder not in str(error) and not str(error).startswith("label: "):
                raise RuntimeError(f"no sentence that names the file: {error}") from error
            raise
