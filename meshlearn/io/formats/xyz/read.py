"""Points as lines of numbers (.xyz, .pts): positions, then normals or colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.text import rows_of


def read(data: bytes, path: Path) -> Document:
    """Reads lines of as many numbers each; one number alone in front is a count."""
    try:
        values, lengths = rows_of(data)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    if len(lengths) > 1 and lengths[0] == 1 and lengths[1] >= 3:
        if values[0] != len(lengths) - 1:
            raise FileFormatError(
                f"{path}: it promises {values[0]:g} points, it has {len(lengths) - 1}"
            )
        values, lengths = values[1:], lengths[1:]
    if len(lengths) == 0 and b"#" in data:
        return Document([Part(vertices=np.zeros((0, 3)))])
    if len(lengths) == 0 or lengths[0] < 3:
        raise FileFormatError(f"{path}: expected lines of three numbers or more")
    if (lengths != lengths[0]).any():
        row = int(np.nonzero(lengths != lengths[0])[0][0])
        raise FileFormatError(
            f"{path}: point {row} has {lengths[row]} numbers, the first has {lengths[0]}"
        )
    table = values.reshape(len(lengths), -1)
    part = Part(vertices=table[:, :3].copy(), points=np.arange(len(table)))
    rest = table[:, 3:]
    if rest.shape[1] == 4 and path.suffix.lower() == ".pts" and len(rest):
        colour = rest[:, 1:]  # x y z intensity r g b
        if (colour == np.round(colour)).all() and colour.min() >= 0 and colour.max() <= 255:
            rest = np.concatenate([colour, rest[:, :1]], axis=1)
    while rest.shape[1] >= 3:
        three = rest[:, :3]
        whole = (three == np.round(three)).all() and three.min() >= 0 and three.max() <= 255
        unit = (np.abs(np.linalg.norm(three, axis=1) - 1) < 1e-2).all()
        if unit and "normal" not in part.vertex_fields:
            part.vertex_fields["normal"] = three.copy()
        elif "color" not in part.vertex_fields:
            coloured = whole and three.max() > 1
            part.vertex_fields["color"] = three.astype(np.uint8) if coloured else three.copy()
        else:
            break
        rest = rest[:, 3:]
    if rest.shape[1]:
        part.vertex_fields["value"] = np.ascontiguousarray(
            rest[:, 0] if rest.shape[1] == 1 else rest
        )
    return Document([part])
