"""Texture coordinates: v from the bottom in documents, from the top in glTF."""

import json
import struct

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io.files import load_document, save_document

OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0.1 0.25\nvt 0.9 0.25\nvt 0.1 0.7\nf 1/1 2/2 3/3\n"


def stored_uv(path):
    """TEXCOORD_0 as the bytes of a .glb say."""
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    tree = json.loads(data[20 : 20 + length])
    at = tree["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]
    view = tree["bufferViews"][tree["accessors"][at]["bufferView"]]
    start = 28 + length + view.get("byteOffset", 0)
    return np.frombuffer(data, "<f4", 2 * tree["accessors"][at]["count"], start).reshape(-1, 2)


def test_v_is_counted_from_the_top_in_a_glb_and_comes_back(tmp_path):
    source, out = tmp_path / "a.obj", tmp_path / "a.glb"
    source.write_text(OBJ)
    report = save_document(load_document(source), out)
    assert not any("uv" in loss for loss in report.losses)
    assert np.allclose(np.sort(stored_uv(out)[:, 1]), [0.3, 0.75, 0.75], atol=1e-7)
    mesh = mio.load(out)
    uv = mesh.vertex_attributes["uv"].numpy()
    assert np.allclose(np.sort(uv[:, 1]), [0.25, 0.25, 0.7], atol=1e-7)


def test_a_glb_goes_through_documents_to_the_same_bytes(tmp_path):
    source, out, again = (tmp_path / name for name in ("a.obj", "a.glb", "b.glb"))
    source.write_text(OBJ)
    save_document(load_document(source), out)
    save_document(load_document(out), again)
    assert np.array_equal(stored_uv(out), stored_uv(again))


def test_a_peer_reads_the_same_picture_from_both(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    Image = pytest.importorskip("PIL.Image")
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "red.png")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd red.png\n")
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nusemtl m\n" + OBJ)
    save_document(load_document(tmp_path / "a.obj"), tmp_path / "a.glb")
    seen = [trimesh.load(tmp_path / f"a.{end}", force="mesh") for end in ("obj", "glb")]
    order = [np.lexsort(m.vertices.T) for m in seen]
    a, b = (m.visual.uv[o] for m, o in zip(seen, order, strict=True))
    assert np.allclose(a, b, atol=1e-6)
