"""Families of shapes that play the part of data sets: cars, planes, chairs, mugs, wings.

``shape("chairs", 7)`` is always the same chair; other numbers and seeds give others. Shapes are
closed manifold meshes with named parts, y up, centred, the longest side 0.9, so that they lie in
the unit box from -0.5 to 0.5 with a margin. The mesh is the shape: distances to it are exact.

Example:
    >>> chair = shape("chairs", 7)
    >>> chair.mesh.is_watertight, chair.parts
    (True, ('seat', 'back', 'legs', 'arms'))
    >>> sdf = chair.sdf(points)                       # (P,), negative inside
"""

from meshlearn.data.families.shape import BOUNDS, FAMILIES, Shape, shape

__all__ = ["BOUNDS", "FAMILIES", "Shape", "shape"]
