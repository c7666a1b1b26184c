"""Whether a trained model makes surfaces at all: what a falling loss hides."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch

from meshlearn.mesh import Mesh

LOOKED_AT = 4  # shapes of the data that are made at the end of a training, to see
LEAST_EXTENT = 1e-6  # of the unit box that shapes are prepared in: a mesh within it is none


class EmptyTraining(ValueError):
    """A trained model makes no surface of any shape that it learned from."""


def spread(count: int, most: int = LOOKED_AT) -> list[int]:
    """At most `most` of `count` numbers, evenly.

    Example:
        >>> spread(10, 3)
        [0, 3, 6]
    """
    some = min(count, most)
    return [k * count // some for k in range(some)]


def is_nothing(mesh: Mesh) -> bool:
    """Whether a mesh has no faces, or no finite extent to speak of."""
    if mesh.num_faces == 0:
        return True
    used = mesh.vertices[mesh.faces.reshape(-1)]
    if not bool(torch.isfinite(used).all()):
        return True
    return float((used.amax(0) - used.amin(0)).max()) < LEAST_EXTENT


def look_at(meshes: Sequence[Mesh], names: Sequence[str], *, allow_empty: bool = True) -> None:
    """Sees whether what a model makes of shapes that it learned is there.

    Args:
        meshes: what it makes of some shapes.
        names: of those shapes.
        allow_empty: warn where all are empty, instead of an error.

    Raises:
        EmptyTraining: all are empty, or degenerate, and that is not allowed.

    Warns:
        UserWarning: all are, or some of them, which are named.

    Example:
        >>> look_at([model.mesh(0)], ["chair-0"], allow_empty=False)
    """
    empty = [name for mesh, name in zip(meshes, names, strict=True) if is_nothing(mesh)]
    if not empty:
        return
    shown = ", ".join(map(repr, empty[:3])) + (" …" if len(empty) > 3 else "")
    if len(empty) < len(meshes):
        text = f"the model makes no surface of {len(empty)} of {len(meshes)} shapes: {shown}"
        warnings.warn(f"{text}; train longer, or look at these shapes", stacklevel=3)
        return
    text = (
        f"the model makes no surface of any of {len(meshes)} shapes that it learned from "
        f"({shown}): it had too few steps, or its data encloses nothing; give more steps, or "
        "allow_empty"
    )
    if not allow_empty:
        raise EmptyTraining(text)
    warnings.warn(text, stacklevel=3)
