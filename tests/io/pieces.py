# ruff: noqa: E501
"""What odd files are made of, by hand."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib

import numpy as np
from safetensors.numpy import save

from meshlearn.io.document import Document, Part
from meshlearn.io.lossless_arrays import KEY, flatten

V3 = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
V4 = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
XYZ3 = "0 0 0\n1 0 0\n0 1 0\n"
XYZ9 = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
RGBA21 = [x for k in range(3) for x in (*XYZ9[3 * k : 3 * k + 3], 1.0, 0.5, 0.0, 1.0)]
TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()


def ply(
    body: bytes | str,
    *,
    vertices=3,
    faces=1,
    form="ascii",
    face="list uchar int vertex_indices",
    more="",
    vertex="property float x\nproperty float y\nproperty float z\n",
) -> bytes:
    head = f"ply\nformat {form} 1.0\nelement vertex {vertices}\n{vertex}"
    head += f"element face {faces}\nproperty {face}\n{more}end_header\n"
    return head.encode() + (body.encode() if isinstance(body, str) else body)


def off_binary(vertices: int, faces: int, rows=(), body=(), *, word: str = "OFF") -> bytes:
    """Counts, floats of vertices, then whole numbers and floats of faces; big-endian."""
    out = f"{word} BINARY\n".encode() + struct.pack(">3i", vertices, faces, 0)
    for value in (*rows, *body):
        out += struct.pack(">f" if isinstance(value, float) else ">i", value)
    return out


def gltf(**more) -> bytes:
    """A triangle in a data URI, with keys of `more` on top."""
    uri = "data:application/octet-stream;base64," + base64.b64encode(TRIANGLE).decode()
    body = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 3}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36, "uri": uri}],
    }
    return json.dumps({**body, **more}).encode()


def glb(body: dict | bytes, chunk: bytes = b"", total: int | None = None) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    text += b" " * (-len(text) % 4)
    out = struct.pack("<II", len(text), 0x4E4F534A) + text
    if chunk:
        out += struct.pack("<II", len(chunk), 0x004E4942) + chunk
    return struct.pack("<III", 0x46546C67, 2, 12 + len(out) if total is None else total) + out


def archive(members: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


MESH3 = (
    '<mesh><vertices><vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/><vertex x="0" y="1" z="0"/>'
    '</vertices><triangles><triangle v1="0" v2="1" v3="2"/></triangles></mesh>'
)


def threemf(resources: str, build: str = '<item objectid="1"/>', head: str = "") -> bytes:
    model = f'<?xml version="1.0"?>{head}<model unit="inch"><resources>{resources}</resources>'
    return archive({"3D/3dmodel.model": f"{model}<build>{build}</build></model>"})


def dae(
    primitives: str, *, nodes: str = '<node><instance_geometry url="#g"/></node>', head: str = ""
) -> bytes:
    return (
        f'<?xml version="1.0"?>{head}<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema">'
        "<asset><unit meter='0.01'/><up_axis>Z_UP</up_axis></asset><library_geometries>"
        "<geometry id='g'><mesh><source id='p'><float_array id='pa' count='12'>0 0 0 1 0 0 1 1 0 0 1 0"
        "</float_array><technique_common><accessor source='#pa' count='4' stride='3'/>"
        "</technique_common></source><vertices id='v'><input semantic='POSITION' source='#p'/></vertices>"
        f"{primitives}</mesh></geometry></library_geometries><library_visual_scenes>"
        f"<visual_scene id='s'>{nodes}</visual_scene></library_visual_scenes>"
        "<scene><instance_visual_scene url='#s'/></scene></COLLADA>"
    ).encode()


DAE_INPUT = "<input semantic='VERTEX' source='#v' offset='0'/>"


def vtp(
    arrays: str, head: str = "", form: str = "PolyData", counts: str = 'NumberOfPoints="3"'
) -> bytes:
    return (
        f'<?xml version="1.0"?>{head}<VTKFile type="{form}" byte_order="LittleEndian"><{form}>'
        f"<Piece {counts}>{arrays}</Piece></{form}></VTKFile>"
    ).encode()


POINTS = '<Points><DataArray type="Float32" NumberOfComponents="3" format="ascii">0 0 0 1 0 0 0 1 0</DataArray></Points>'
POLYS = (
    '<Polys><DataArray type="Int32" Name="connectivity" format="ascii">0 1 2</DataArray>'
    '<DataArray type="Int32" Name="offsets" format="ascii">3</DataArray></Polys>'
)


def packed(array: np.ndarray) -> str:
    raw = array.tobytes()
    body = zlib.compress(raw)
    head = np.array([1, len(raw), len(raw), len(body)], "<u4").tobytes()
    return (base64.b64encode(head) + base64.b64encode(body)).decode()


PACKED = (
    '<?xml version="1.0"?><VTKFile type="PolyData" byte_order="LittleEndian" compressor='
    '"vtkZLibDataCompressor"><PolyData><Piece NumberOfPoints="3"><Points><DataArray type="Float32" '
    f'NumberOfComponents="3" format="binary">{packed(np.frombuffer(TRIANGLE, "<f4"))}</DataArray>'
    f"</Points>{POLYS}</Piece></PolyData></VTKFile>"
).encode()
_RAW = np.uint32(36).tobytes() + TRIANGLE
APPENDED = (
    b'<?xml version="1.0"?><VTKFile type="PolyData" byte_order="LittleEndian"><PolyData><Piece>'
    b'<Points><DataArray type="Float32" NumberOfComponents="3" format="appended" offset="0"/></Points>'
    + POLYS.encode()
    + b'</Piece></PolyData><AppendedData encoding="raw">_'
    + _RAW
    + b"</AppendedData></VTKFile>"
)

SPARSE = gltf(
    accessors=[
        {
            "bufferView": 0,
            "componentType": 5126,
            "type": "VEC3",
            "count": 3,
            "sparse": {
                "count": 1,
                "indices": {"bufferView": 1, "componentType": 5121},
                "values": {"bufferView": 2},
            },
        }
    ],
    bufferViews=[
        {"buffer": 0, "byteLength": 36},
        {"buffer": 1, "byteLength": 1},
        {"buffer": 1, "byteOffset": 4, "byteLength": 12},
    ],
    buffers=[
        json.loads(gltf())["buffers"][0],
        {
            "byteLength": 16,
            "uri": "data:;base64,"
            + base64.b64encode(b"\2\0\0\0" + np.array([0, 3, 0], "<f4").tobytes()).decode(),
        },
    ],
)
QUANTISED = gltf(
    extensionsRequired=["KHR_mesh_quantization"],
    accessors=[
        {"bufferView": 0, "componentType": 5122, "type": "VEC3", "count": 3, "normalized": True}
    ],
    bufferViews=[{"buffer": 0, "byteLength": 24, "byteStride": 8}],
    buffers=[
        {
            "byteLength": 24,
            "uri": "data:;base64,"
            + base64.b64encode(
                np.array([[0, 0, 0, 0], [32767, 0, 0, 0], [0, 32767, 0, 0]], "<i2").tobytes()
            ).decode(),
        }
    ],
)


def bomb() -> bytes:
    """A member of a gigabyte in a megabyte, told of truly."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open("3D/3dmodel.model", "w", force_zip64=True) as member:
            for _ in range(64):
                member.write(b" " * (1 << 20))
    return out.getvalue()


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;'
    '&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>'
)
EXTERNAL = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
MSH2 = (
    "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$Nodes\n3\n7 0 0 0\n5 1 0 0\n9 0 1 0\n$EndNodes\n"
    "$Elements\n2\n1 15 2 0 1 7\n2 2 2 4 1 7 5 9\n$EndElements\n"
)
MSH4 = (
    "$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$Nodes\n1 3 1 3\n2 1 0 3\n1\n2\n3\n0 0 0\n1 0 0\n0 1 0\n"
    "$EndNodes\n$Elements\n1 1 1 1\n2 1 2 1\n1 1 2 3\n$EndElements\n"
)
PCD = "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH {w}\nHEIGHT 1\nPOINTS {p}\nDATA {d}\n"
GRID = (
    "# vtk DataFile Version 3.0\n\nASCII\nDATASET STRUCTURED_POINTS\nDIMENSIONS 2 2 2\n"
    "ORIGIN 0 0 0\nSPACING 1 1 1\nPOINT_DATA 8\nSCALARS a float\nLOOKUP_TABLE default\n"
    "0 1 2 3 4 5 6 7\n"
)


def vti(extent: str, more: str = "") -> str:
    return (
        f'<VTKFile type="ImageData"><ImageData WholeExtent="{extent}" {more}><Piece '
        f'Extent="{extent}"><PointData><DataArray type="Float32" Name="a" format="ascii">'
        "0 1 2 3 4 5 6 7</DataArray></PointData></Piece></ImageData></VTKFile>"
    )


_ROW = '<DataArray type="Float64" format="ascii">0 {}</DataArray>'
VTR = (
    '<VTKFile type="RectilinearGrid"><RectilinearGrid><Piece Extent="0 1 0 1 0 1"><Coordinates>'
    f"{_ROW.format(1)}{_ROW.format(2)}{_ROW.format(3)}"
    "</Coordinates></Piece></RectilinearGrid></VTKFile>"
)
VTS = (
    '<VTKFile type="StructuredGrid"><StructuredGrid><Piece Extent="0 1 0 1 0 1"><Points><DataArray '
    'type="Float32" NumberOfComponents="3" format="ascii">0 0 0 1 0 0 0 1 0 1 1 0 0 0 1 1 0 1 0 1 1 '
    "1 1 1</DataArray></Points></Piece></StructuredGrid></VTKFile>"
)
VTK = "# vtk DataFile Version 3.0\n\nASCII\nDATASET POLYDATA\nPOINTS 3 float\n0 0 0 1 0 0 0 1 0\n"
STL = "facet normal 0 0 1\n outer loop\n  vertex 0 0 0\n  vertex 1 0 0\n  vertex 0 1 0\n endloop\nendfacet\n"


def texts_of_kind(kind: str) -> bytes:
    """A .safetensors file with a field of two texts whose array is said to be of that kind."""
    part = Part(vertices=np.zeros((2, 3), np.float32), vertex_fields={"name": np.array(["a", "b"])})
    text, arrays = flatten(Document([part]))
    data = np.frombuffer(text.replace('"<U1"', f'"{kind}"').encode(), np.uint8)
    return save({**arrays, KEY: data})


def las(rows, *, count=None) -> bytes:
    """A LAS file of version 1.2, points of kind 0, in units of 1."""
    head = b"LASF" + bytes(20) + bytes([1, 2]) + bytes(64) + struct.pack("<2H", 1, 2020)
    head += struct.pack("<HIIBH", 227, 227, 0, 0, 20)
    head += struct.pack("<6I", len(rows) if count is None else count, len(rows), 0, 0, 0, 0)
    head += struct.pack("<12d", 1, 1, 1, 0, 0, 0, *(1, 0) * 3)
    return head + b"".join(struct.pack("<3iHBBbBH", *row, 7, 9, 2, 0, 0, 0) for row in rows)
