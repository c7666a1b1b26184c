"""Odd files: the legal ones are read as they are meant, the others get one sentence, soon."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.data import shapes
from meshlearn.io import FileFormatError
from tests.io.illegal import ILLEGAL
from tests.io.legal import LEGAL
from tests.io.samples import POINTS_ONLY, WRITTEN, available, documents, parameters

ROOT = Path(__file__).resolve().parents[2]


def as_bytes(content) -> bytes:
    return content.encode() if isinstance(content, str) else content


def test_there_are_enough_of_them():
    assert len(LEGAL) >= 70 and len(ILLEGAL) >= 100


@pytest.mark.parametrize("name", parameters(LEGAL))
def test_legal_files_are_read_as_they_are_meant(name, tmp_path):
    content, vertices, faces, area = LEGAL[name]
    path = tmp_path / name
    path.write_bytes(as_bytes(content))
    document = mio.load_document(path)
    assert sum(len(p.vertices) for p in document.parts) == vertices
    assert sum(p.num_faces for p in document.parts) == faces
    mesh = mio.to_mesh(document)
    assert float(mesh.area()) == pytest.approx(area, abs=1e-6)
    if (
        "mirrored" not in name
        and faces
        and area
        and not re.search("strips|turned|twice|tints|mixed binary", name)
    ):
        assert float(mesh.face_normals()[-1][2]) > 0.99  # orientation is kept


@pytest.mark.parametrize("name", parameters(ILLEGAL))
def test_illegal_files_get_one_sentence(name, tmp_path):
    content, message = ILLEGAL[name]
    path, target = tmp_path / name, tmp_path / "out.ply"
    path.write_bytes(as_bytes(content))
    begin = time.process_time()  # what the machine does beside does not count
    with pytest.raises(FileFormatError, match=message) as caught:
        mio.convert(path, target)
    assert time.process_time() - begin < 30  # a bomb that went off would never end
    text = str(caught.value)
    assert "\n" not in text and str(path) in text and len(text) < 600 + len(str(path))
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_all_illegal_files_together_stay_small(tmp_path):
    """Peak memory of a process that reads each of them, above what it had before."""
    there = {name: content for name, (content, _) in ILLEGAL.items() if available(name)}
    for name, content in there.items():
        (tmp_path / name).write_bytes(as_bytes(content))
    code = """
import json, pathlib, resource, sys
import meshlearn as ml
from meshlearn import io as mio
def status(key):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024
ml.data.shapes.box()
before, refused = status("VmRSS"), 0
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        ml.load(path)
    except mio.FileFormatError:
        refused += 1
above = status("VmHWM") - before
from meshlearn.io.formats.usd import child as usd_child
usd_child.close()
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([refused, above, most]))
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of memory is read from /proc, which is not here")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-500:]
    refused, above, child = json.loads(done.stdout.splitlines()[-1])
    assert refused == len(there)
    assert above < 500 and child < 500


@pytest.mark.parametrize("suffix", parameters(WRITTEN))
def test_cut_files_are_refused_or_whole_lines(suffix, tmp_path):
    """Cut at every tenth: an error of one sentence, or for text what the whole lines say."""
    document = mio.from_mesh(shapes.torus(segments=24, rings=12))
    mio.save_document(document, tmp_path / f"whole{suffix}")
    data = (tmp_path / f"whole{suffix}").read_bytes()
    refused = 0
    for tenth in range(10):
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(data[: len(data) * tenth // 10])
        try:
            found = mio.load_document(path)
        except FileFormatError as error:
            assert "\n" not in str(error) and str(path) in str(error)
            refused += 1
        else:
            assert (
                sum(p.num_faces for p in found.parts) < document.parts[0].num_faces
                or suffix in POINTS_ONLY
            )
    assert refused >= (1 if suffix in (".obj", ".xyz", ".csv", ".asc", ".mesh") else 10)


def test_a_texture_and_a_buffer_beside_the_file(tmp_path):
    """Percent-encoded names in the folder are read; a link that leads out of it is not."""
    inner = tmp_path / "in"
    inner.mkdir()
    mio.save_document(documents()["triangle"], inner / "a.gltf")
    body = json.loads((inner / "a.gltf").read_text())
    raw = mio.load_document(inner / "a.gltf").parts[0].vertices
    body["buffers"][0] = {"byteLength": 48, "uri": "sub%20dir/%C3%BC.bin"}
    (inner / "sub dir").mkdir()
    index = np.array([0, 1, 2, 0], "<u2").tobytes()
    (inner / "sub dir" / "ü.bin").write_bytes(raw.tobytes() + index + bytes(4))
    (inner / "b.gltf").write_text(json.dumps(body))
    assert ml.load(inner / "b.gltf").num_faces == 1
    (tmp_path / "secret.bin").write_bytes(bytes(48))
    (inner / "link.bin").symlink_to(tmp_path / "secret.bin")
    body["buffers"][0]["uri"] = "link.bin"
    (inner / "c.gltf").write_text(json.dumps(body))
    with pytest.raises(FileFormatError, match="outside its folder"):
        ml.load(inner / "c.gltf")


def test_materials_of_an_obj_stay_in_its_folder(tmp_path):
    inner = tmp_path / "in"
    inner.mkdir()
    (tmp_path / "out.mtl").write_text("newmtl x\nKd 1 0 0\n")
    (inner / "in.mtl").write_text("newmtl\ty\n\tKd 0 1 0\n\tmap_Kd -s 1 1 1 -o 0 0 0 my wood.png\n")
    (inner / "my wood.png").write_bytes(b"pixels")
    text = "mtllib ../out.mtl\nmtllib in.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\n"
    text += "usemtl x\nf 1 2 3\nusemtl y\nf 3 2 1\n"
    (inner / "a.obj").write_text(text)
    document = mio.load_document(inner / "a.obj")
    assert document.materials[0].values == {}
    assert document.materials[1].values["base_color"] == [0, 1, 0, 1]
    assert document.materials[1].values["base_texture"] == "my wood.png"
    assert document.images == {"my wood.png": b"pixels"}


def test_one_point_of_mixed_types_in_a_cloud(tmp_path):
    """Columns of a single packed row, which numpy calls contiguous and torch does not take."""
    head = "VERSION 0.7\nFIELDS x y z tag\nSIZE 4 4 4 1\nTYPE F F F U\nWIDTH 1\nHEIGHT 1\n"
    body = np.array([1, 2, 3], "<f4").tobytes() + b"\7"
    (tmp_path / "a.pcd").write_bytes(f"{head}POINTS 1\nDATA binary\n".encode() + body)
    mesh = ml.load(tmp_path / "a.pcd")
    assert mesh.vertices.tolist() == [[1, 2, 3]] and mesh.vertex_attributes["tag"].tolist() == [7]


def test_a_damaged_member_is_not_quoted_at_length(tmp_path):
    data = bytearray(LEGAL["plain.3mf"][0])
    data[26:28] = (60_000).to_bytes(2, "little")  # length of the name in front of the member
    (tmp_path / "a.3mf").write_bytes(bytes(data))
    with pytest.raises(FileFormatError, match=r"damaged|zip") as caught:
        ml.load(tmp_path / "a.3mf")
    assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)
