"""What a notebook shows of a mesh: a picture and a line of facts, in itself, without network."""

from __future__ import annotations

import base64
import io
from html import escape

import torch

from meshlearn.mesh import Mesh
from meshlearn.render.picture import portrait

_SIZE = 320  # pixels of a side
_MOST = 2_000_000  # faces that are drawn; more would hold a notebook up


def mesh_html(mesh: Mesh) -> str:
    """HTML of a mesh: a lit picture as a PNG inside it, and the words of its `repr`.

    Only the words, where there are no faces, a corner is not finite, or there are more than two
    million faces.
    """
    words = f"<code>{escape(repr(mesh))}</code>"
    if not 0 < mesh.num_faces <= _MOST or not bool(torch.isfinite(mesh.vertices).all()):
        return f"<div>{words}</div>"
    stream = io.BytesIO()
    portrait(mesh, _SIZE).save(stream, format="PNG")
    data = base64.b64encode(stream.getvalue()).decode()
    size = f"width='{_SIZE}' height='{_SIZE}'"
    picture = f"<img {size} alt='' src='data:image/png;base64,{data}'>"
    return f"<div>{picture}<br>{words}</div>"
