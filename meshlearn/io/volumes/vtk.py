"""Lattices of VTK as volumes: legacy .vtk, and XML images and grids, .vti, .vtr and .vts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshlearn.io.document import Document
from meshlearn.io.formats.vtk import parallel, xml_lattice
from meshlearn.io.formats.vtk.lattice import Lattice
from meshlearn.io.formats.vtk.read import read_lattice
from meshlearn.io.volumes.samples import Samples, Wanted, pick_frame

_EVEN = 1e-5  # of a step: how far coordinates may be from even ones


def read(path: Path, wanted: Wanted) -> Samples:
    """An array of numbers at the points of a lattice; without one, of its cells at their
    centres.

    Raises:
        ValueError: the file is damaged, it is no one lattice, or it has no such array or frame, or
            several arrays of which none is named.
    """
    pick_frame(1, wanted)
    data, suffix = path.read_bytes(), path.suffix.lower()
    if suffix == ".vtk":
        lattice = read_lattice(data, path)
    else:
        document = Document()
        if suffix.startswith(".pv"):
            found = parallel.lattices(data, path, document)
        else:
            found = xml_lattice.joined(path, xml_lattice.pieces(data, path))
        if document.left_out:
            raise ValueError(
                f"the file {document.left_out[0].name!r}, which it names, is not there"
            )
        if len(found) > 1:
            raise ValueError(f"its {len(found)} pieces do not make up one grid")
        lattice = found[0]
    name, values, at_cells = _chosen(lattice, wanted)
    size = lattice.cells if at_cells else lattice.size
    volume = values.reshape(size, order="F")
    names = [*lattice.point_fields, *lattice.cell_fields]
    remarks = [f"the values of {name!r} are those of cells, taken at their centres"]
    samples = Samples(volume, np.eye(4), arrays=names, remarks=remarks if at_cells else [])
    _place(samples, lattice, 0.5 if at_cells else 0.0)
    return samples


def _chosen(lattice: Lattice, wanted: Wanted) -> tuple[str, np.ndarray, bool]:
    """Name and values of the array that is wanted, and whether they are of cells."""
    single = {
        cells: {
            name: values.reshape(-1)
            for name, values in fields.items()
            if values.size == len(values) and values.dtype.kind in "fiu" and name != "vtkGhostType"
        }
        for cells, fields in ((False, lattice.point_fields), (True, lattice.cell_fields))
    }
    everything = [*lattice.point_fields, *lattice.cell_fields]
    if wanted.key is not None:
        for cells, found in single.items():
            if wanted.key in found:
                return wanted.key, found[wanted.key], cells
        if wanted.key in everything:
            raise ValueError(f"the array {wanted.key!r} has several numbers a point, expected one")
        raise ValueError(f"there is no array {wanted.key!r}; it holds {everything}")
    for cells, found in single.items():
        if len(found) > 1 and not wanted.any:
            raise ValueError(f"it holds {len(found)} arrays, {sorted(found)}; name one by key")
        if found:
            return next(iter(found)), next(iter(found.values())), cells
    raise ValueError(f"expected an array of one number a point or cell, it holds {everything}")


def _place(samples: Samples, lattice: Lattice, shift: float) -> None:
    """Sets where samples are, `shift` steps from the points of the lattice."""
    if lattice.affine is not None:
        affine = lattice.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ np.full(3, shift)
        samples.affine = affine
        return
    if lattice.axes is not None:
        axes = [np.asarray(a, np.float64) for a in lattice.axes]
        if shift:
            axes = [(a[1:] + a[:-1]) / 2 if len(a) > 1 else a for a in axes]
        for row in axes:
            steps = np.diff(row)
            if not (np.isfinite(row).all() and ((steps > 0).all() or (steps < 0).all())):
                raise ValueError("the coordinates of a rectilinear grid do not rise or fall")
        even = [
            len(a) < 2
            or np.allclose(
                a, np.linspace(a[0], a[-1], len(a)), rtol=0, atol=_EVEN * abs(a[1] - a[0])
            )
            for a in axes
        ]
        if all(even):
            samples.affine = np.diag([*((a[-1] - a[0]) / max(len(a) - 1, 1) for a in axes), 1.0])
            samples.affine[:3, 3] = [a[0] for a in axes]
            return
        samples.points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        return
    assert lattice.points is not None
    box = lattice.points.astype(np.float64).reshape(*lattice.size[::-1], 3).transpose(2, 1, 0, 3)
    if shift:
        for axis in range(3):
            count = box.shape[axis]
            if count > 1:
                ends = np.take(box, range(1, count), axis)
                box = (ends + np.take(box, range(count - 1), axis)) / 2
    if not np.isfinite(box).all():
        raise ValueError("points of its grid are NaN or infinite")
    samples.points = np.ascontiguousarray(box)
