"""Faults of volumes."""

from __future__ import annotations

from faults.mutant import Mutant

VOLUMES: list[Mutant] = [
    Mutant(
        "volumes: a quaternion turns the way of the standard",
        "meshlearn/io/volumes/nifti.py",
        "2 * (b * c - a * d), 2",
        "2 * (b * c + a * d), 2",
        ("tests/io/test_volume_formats.py",),
    ),
    Mutant(
        "volumes: slices lie behind each other by their places",
        "meshlearn/io/volumes/dicom.py",
        "along = np.array([one.place @ normal for one in slices])",
        "along = np.array([one.order[-2] for one in slices])",
        ("tests/io/test_dicom.py",),
    ),
    Mutant(
        "volumes: packed data is read on to its checksum",
        "meshlearn/io/volumes/stream.py",
        "self.rest(_BEHIND)",
        "self.rest(0)",
        ("tests/io/test_volume_formats.py",),
    ),
    Mutant(
        "volumes: a spacing leaves directions as they are",
        "meshlearn/io/volumes/arrays.py",
        "affine[:3, :3] *= steps / lengths",
        "affine[:3, :3] = np.diag(np.broadcast_to(steps, 3))",
        ("tests/io/test_volume.py",),
    ),
    Mutant(
        "volumes: a curved grid goes on beyond its border",
        "meshlearn/io/volumes/labels.py",
        'reflect_type="odd"',
        'reflect_type="even"',
        ("tests/io/test_vtk_grids.py",),
    ),
    Mutant(
        "volumes: rows of a MetaImage's matrix are axes",
        "meshlearn/io/volumes/metaimage.py",
        "reshape(count, count)[:3, :3].T",
        "reshape(count, count)[:3, :3]",
        ("tests/io/test_volume_formats.py",),
    ),
    Mutant(
        "volumes: a label's surface keeps its place when it is cut out",
        "meshlearn/io/volumes/labels.py",
        "first = np.array([low - 1 for low, _ in spans])",
        "first = np.array([low for low, _ in spans])",
        ("tests/io/test_volume_formats.py",),
    ),
    Mutant(
        "VTK: the skin of a mirrored grid looks outward",
        "meshlearn/io/formats/vtk/lattice.py",
        "faces.append(quads if above != turned else quads[:, ::-1])",
        "faces.append(quads if above else quads[:, ::-1])",
        ("tests/io/test_vtk_grids.py",),
    ),
]
