"""Scenes to begin fuzzing with: what is posed, placed and coloured, as plain meshes are not."""

from __future__ import annotations

import io
from importlib.util import find_spec

from meshlearn.io.files import encode


def seeds(suffix: str) -> list[bytes]:
    """Files of a format; none for one that has no scenes."""
    if suffix == ".dae":
        return _collada()
    if suffix == ".3mf":
        from tests.io.test_threemf_write import everything

        return [encode(everything(), "x.3mf")["x.3mf"]]
    if suffix == ".laz" and find_spec("laspy") is not None and find_spec("lazrs") is not None:
        return _compressed_points()
    if suffix == ".usda" and find_spec("pxr") is not None:
        return _usd()
    return []


def _compressed_points() -> list[bytes]:
    import laspy

    from tests.io.legal import LEGAL

    points, out = LEGAL["plain.las"][0], io.BytesIO()
    assert isinstance(points, bytes)
    laspy.read(io.BytesIO(points)).write(out, do_compress=True)
    return [points, out.getvalue()]


def _collada() -> list[bytes]:
    from tests.io import test_dae as of

    clear = (
        '<transparent opaque="RGB_ZERO"><texture texture="samp" texcoord="UVMAP"/></transparent>'
    )
    shader = of.TEXTURED.format(clear)
    texts = [
        of.collada(of.skin(), of.JOINTS + of.CONTROLLED),
        of.collada(of.morph("RELATIVE"), of.NODE, of.SHAPES),
        of.collada(
            of.effect(shader, of.SAMPLER) + of.IMAGE,
            f"<node>{of.instance(of.BIND.format(1))}</node>",
            of.two_sets(),
        ),
        of.collada(
            geometries=of.geometry(
                of.polygons("<ph><p>0 1 2 3</p><h>4 5 6 7</h></ph>"), points=of.HOLE
            )
        ),
        *(of.collada(nodes=f"<node>{step}</node>") for step in of.PLACES),
    ]
    return [text.encode() for text in texts]


def _usd() -> list[bytes]:
    from tests.io import test_usd_looks as looks
    from tests.io import test_usd_scene as scene

    bodies = [
        looks.mesh() + looks.material("a", *looks.TEXTURES, more=looks.NODES),
        scene.nested(),
        scene.skeleton(scene.ANIMATION),
    ]
    return [scene.lines(body).encode() for body in bodies]
