"""The table of volume formats: which module reads a file, by its name."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from meshlearn.io.numpy_files import peek_shapes
from meshlearn.io.volumes.samples import Samples, Wanted, checked, no_key
from meshlearn.io.volumes.stream import named

_NIFTI, _ARRAYS = "meshlearn.io.volumes.nifti", "meshlearn.io.volumes.arrays"
_NRRD, _META = "meshlearn.io.volumes.nrrd", "meshlearn.io.volumes.metaimage"
_VTK = "meshlearn.io.volumes.vtk"
_MGH, _DICOM = "meshlearn.io.volumes.mgh", "meshlearn.io.volumes.dicom"
_NAMELESS = (_NIFTI, _NRRD, _META, _MGH)  # files of one array, which has no name
# the module of each suffix, whose function `read` is
_READERS = {
    ".npy": _ARRAYS,
    ".npz": _ARRAYS,
    ".nii": _NIFTI,
    ".nii.gz": _NIFTI,
    ".hdr": _NIFTI,
    ".img": _NIFTI,
    ".img.gz": _NIFTI,
    ".nrrd": _NRRD,
    ".nhdr": _NRRD,
    ".mha": _META,
    ".mhd": _META,
    ".mgh": _MGH,
    ".mgz": _MGH,
    ".dcm": _DICOM,
    ".vti": _VTK,
    ".pvti": _VTK,
}
# kinds of files that may hold a volume, but are taken for meshes where nobody asks for one
_ALSO = dict.fromkeys((".vtk", ".vtr", ".vts", ".pvtr", ".pvts"), _VTK)
SUFFIXES = tuple(_READERS)


def reader_of(path: str | os.PathLike[str]) -> str | None:
    """The module that reads a file by its name, or a folder of DICOM slices; None for none."""
    name = Path(path).name.lower()
    for suffix, reader in {**_READERS, **_ALSO}.items():
        if name.endswith(suffix):
            return reader
    return _DICOM if Path(path).is_dir() else None


def is_volume(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a volume by its name; a .npz file with an array of vertices is a mesh, a
    .vtk file of samples at even distances a volume."""
    name = Path(path).name.lower()
    if name.endswith(".npz") and Path(path).is_file():
        try:
            return not {"vertices", "0/vertices"} & set(peek_shapes(path))
        except ValueError:
            return True
    if name.endswith(".vtk") and Path(path).is_file():
        with open(path, "rb") as file:
            return b"DATASET STRUCTURED_POINTS" in file.read(2048).upper()
    return name.endswith(SUFFIXES)


def read_samples(path: str | os.PathLike[str], wanted: Wanted | None = None) -> Samples:
    """The samples of a volume in a file, or in a folder of DICOM slices.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file, is truncated, holds no volume, or several of which none
            is named, or there is none of the name or number that is wanted; in one sentence that
            names the file.
        ImportError: DICOM without pydicom.
    """
    path = Path(path)
    reader = reader_of(path)
    if reader is None:
        raise ValueError(
            f"{path}: unknown kind of volume {path.suffix!r}; expected {', '.join(SUFFIXES)} or a "
            f"folder of DICOM slices"
        )
    if path.is_dir() and reader != _DICOM:
        raise ValueError(f"{path}: expected a file, got a folder")
    if not path.is_dir() and path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    read = import_module(reader).read
    wanted = wanted or Wanted()
    with named(path):
        if reader in _NAMELESS:
            no_key(wanted.key)
        return checked(read(path, wanted), path)
