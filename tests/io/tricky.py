# ruff: noqa: E501
"""Odd files made by hand: legal ones with what they hold, illegal ones with what is said of them."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib

import numpy as np

V3 = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
V4 = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
XYZ3 = "0 0 0\n1 0 0\n0 1 0\n"
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
VTK = "# vtk DataFile Version 3.0\n\nASCII\nDATASET POLYDATA\nPOINTS 3 float\n0 0 0 1 0 0 0 1 0\n"
STL = "facet normal 0 0 1\n outer loop\n  vertex 0 0 0\n  vertex 1 0 0\n  vertex 0 1 0\n endloop\nendfacet\n"

# name: (content, vertices, polygons, area of the triangles)
LEGAL: dict[str, tuple[bytes | str, int, int, float]] = {
    "relative.obj": (V3 + "f -3 -2 -1\n", 3, 1, 0.5),
    "faces first.obj": ("f 1 2 3\n" + V3, 3, 1, 0.5),
    "bom.obj": ("\ufeff" + V3 + "f 1 2 3\n", 3, 1, 0.5),
    "dos.obj": ((V3 + "f 1 2 3\n").replace("\n", "\r\n"), 3, 1, 0.5),
    "mac.obj": ((V3 + "f 1 2 3\n").replace("\n", "\r"), 3, 1, 0.5),
    "continued.obj": (V4 + "f 1 2 \\\n 3 \\\r\n 4\n", 4, 1, 1.0),
    "no newline.obj": (V3 + "f 1 2 3", 3, 1, 0.5),
    "blanks.obj": ("\n\n  v\t0 0   0 \n v 1 0 0\t\nv 0 1 0\n\n f  1\t2 3 # a face\n", 3, 1, 0.5),
    "concave.obj": ("v 0 0 0\nv 2 0 0\nv .5 .5 0\nv 0 2 0\nf 1 2 3 4\n", 4, 1, 1.0),
    "mixed.obj": (V4 + "v 2 0 0\nf 1 2 3 4\nf 2 5 3\n", 5, 2, 1.5),
    "slashes.obj": (V3 + "vt 0 0\nvn 0 0 1\nf 1/1/1 2//1 3/1\n", 3, 1, 0.5),
    "weights.obj": ("v 0 0 0 1\nv 2 0 0 2\nv 0 1 0 1.0\nf 1 2 3\n", 3, 1, 0.5),
    "colours.obj": ("v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 1\nf 1 2 3\n", 3, 1, 0.5),
    "exponents.obj": ("v 0e5 -0.0 +0\nv 1.E0 0 0\nv 0 .1e+1 0\nf 1 2 3\n", 3, 1, 0.5),
    "no mtl.obj": ("mtllib gone.mtl\nusemtl x\n" + V3 + "f 1 2 3\n", 3, 1, 0.5),
    "mtl outside.obj": ("mtllib ../../etc/passwd\nusemtl x\n" + V3 + "f 1 2 3\n", 3, 1, 0.5),
    "unknown words.obj": ("curv 0 1 2\nvp 1 2\n" + V3 + "f 1 2 3\nend\n", 3, 1, 0.5),
    "only points.obj": (V4, 4, 0, 0.0),
    "unused.obj": (V4 + "f 1 2 3\n", 4, 1, 0.5),
    "degenerate.obj": (V3 + "f 1 1 2\nf 1 2 3\n", 3, 2, 0.5),
    "digon.obj": (V3 + "f 1 2\nf 1 2 3\n", 3, 2, 0.5),
    "long digits.obj": (
        "v 0.00000000000000000000000000000000000 0 0\nv 1.00000000000000000000000001 0 0\nv 0 1 0\nf 1 2 3\n",
        3,
        1,
        0.5,
    ),
    "quad.ply": (ply("0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n", vertices=4), 4, 1, 1.0),
    "one line.ply": (ply("0 0 0 1 0 0 0 1 0 3 0 1 2"), 3, 1, 0.5),
    "comments.ply": (
        ply(XYZ3 + "3 0 1 2\n").replace(b"element face", b"comment hi\nobj_info x\nelement face"),
        3,
        1,
        0.5,
    ),
    "dos.ply": (ply(XYZ3 + "3 0 1 2\n").replace(b"\n", b"\r\n"), 3, 1, 0.5),
    "faces first.ply": (
        b"ply\nformat ascii 1.0\nelement face 1\nproperty list uchar int vertex_index\nelement vertex 3\n"
        b"property double x\nproperty double y\nproperty double z\nend_header\n3 0 1 2\n0 0 0\n1 0 0\n0 1 0\n",
        3,
        1,
        0.5,
    ),
    "more elements.ply": (
        ply(XYZ3 + "3 0 1 2\n5 6\n", more="element other 1\nproperty int a\nproperty int b\n"),
        3,
        1,
        0.5,
    ),
    "long counts.ply": (
        ply(
            TRIANGLE + struct.pack("<I3i", 3, 0, 1, 2),
            form="binary_little_endian",
            face="list uint int vertex_indices",
        ),
        3,
        1,
        0.5,
    ),
    "shorts.ply": (
        ply(
            struct.pack(">9h", 0, 0, 0, 1, 0, 0, 0, 1, 0) + struct.pack(">B3B", 3, 0, 1, 2),
            form="binary_big_endian",
            face="list uchar uchar vertex_indices",
            vertex="property short x\nproperty short y\nproperty short z\n",
        ),
        3,
        1,
        0.5,
    ),
    "no faces.ply": (ply(XYZ3, faces=0), 3, 0, 0.0),
    "strips.ply": (
        b"ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        b"element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
        b"0 0 0\n1 0 0\n0 1 0\n1 1 0\n4 0 1 2 3\n",
        4,
        2,
        1.0,
    ),
    "solid.stl": (
        b"solid binary".ljust(80) + struct.pack("<I", 1) + bytes(12) + TRIANGLE + b"\0\0",
        3,
        1,
        0.5,
    ),
    "two solids.stl": (f"solid a\n{STL}endsolid a\nsolid b\n{STL}endsolid b\n", 6, 2, 1.0),
    "capitals.stl": (f"SOLID A\n{STL.upper()}ENDSOLID\n", 3, 1, 0.5),
    "nameless.stl": (f"solid\n{STL}endsolid", 3, 1, 0.5),
    "none.stl": (bytes(84), 0, 0, 0.0),
    "trailing.stl": (
        bytes(80) + struct.pack("<I", 1) + bytes(12) + TRIANGLE + b"\0\0" + b"more",
        3,
        1,
        0.5,
    ),
    "counts.off": (f"OFF 3 1 0\n{XYZ3}3 0 1 2\n", 3, 1, 0.5),
    "comments.off": (f"# hi\nOFF # x\n# y\n3 1 0 # z\n\n{XYZ3}# w\n3 0 1 2 # a face\n", 3, 1, 0.5),
    "one line.off": (f"OFF {' '.join(f'3 1 0 {XYZ3} 3 0 1 2'.split())}", 3, 1, 0.5),
    "tints.off": (f"OFF\n3 2 0\n{XYZ3}3 0 1 2 255 0 0\n3 2 1 0\n", 3, 2, 1.0),
    "coff.off": ("COFF\n3 1 0\n0 0 0 1 0 0 1\n1 0 0 0 1 0 1\n0 1 0 0 0 1 1\n3 0 1 2\n", 3, 1, 0.5),
    "stoff.off": ("STOFF\n3 1 0\n0 0 0 0 0\n1 0 0 1 0\n0 1 0 0 1\n3 0 1 2\n", 3, 1, 0.5),
    "plain.gltf": (gltf(), 3, 1, 0.5),
    "no scene.gltf": (gltf(scenes=[]), 3, 1, 0.5),
    "mirrored.gltf": (gltf(nodes=[{"mesh": 0, "scale": [-2, 1, 1]}]), 3, 1, 1.0),
    "twice.gltf": (gltf(nodes=[{"mesh": 0}, {"mesh": 0}], scenes=[{"nodes": [0, 1]}]), 6, 2, 1.0),
    "sparse.gltf": (SPARSE, 3, 1, 1.5),
    "quantised.gltf": (QUANTISED, 3, 1, 0.5),
    "points.gltf": (
        gltf(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 0}]}]),
        3,
        0,
        0.0,
    ),
    "fan.gltf": (
        gltf(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 6}]}]),
        3,
        1,
        0.5,
    ),
    "no image.gltf": (gltf(images=[{"uri": "gone.png"}]), 3, 1, 0.5),
    "bom.gltf": (b"\xef\xbb\xbf" + gltf(), 3, 1, 0.5),
    "chunk.glb": (
        glb({**json.loads(gltf()), "buffers": [{"byteLength": 36}]}, TRIANGLE),
        3,
        1,
        0.5,
    ),
    "empty.glb": (glb({"asset": {"version": "2.0"}}), 0, 0, 0.0),
    "plain.3mf": (threemf(f'<object id="1" type="model">{MESH3}</object>'), 3, 1, 0.5),
    "moved.3mf": (
        threemf(
            f'<object id="1">{MESH3}</object>',
            '<item objectid="1" transform="2 0 0 0 1 0 0 0 1 5 5 5"/>',
        ),
        3,
        1,
        1.0,
    ),
    "component.3mf": (
        threemf(
            f'<object id="2">{MESH3}</object><object id="1"><components><component objectid="2"/>'
            '<component objectid="2"/></components></object>'
        ),
        6,
        2,
        1.0,
    ),
    "polylist.dae": (
        dae(f"<polylist count='1'>{DAE_INPUT}<vcount>4</vcount><p>0 1 2 3</p></polylist>"),
        4,
        1,
        1.0,
    ),
    "polygons.dae": (
        dae(f"<polygons count='2'>{DAE_INPUT}<p>0 1 2</p><p>0 2 3</p></polygons>"),
        4,
        2,
        1.0,
    ),
    "strips.dae": (dae(f"<tristrips count='1'>{DAE_INPUT}<p>0 1 3 2</p></tristrips>"), 4, 2, 1.0),
    "turned.dae": (
        dae(
            f"<triangles count='1'>{DAE_INPUT}<p>0 1 2</p></triangles>",
            nodes="<node><rotate>0 0 1 90</rotate><scale>2 2 2</scale><node><instance_geometry url='#g'/>"
            "</node></node>",
        ),
        4,
        1,
        2.0,
    ),
    "plain.vtp": (vtp(POINTS + POLYS), 3, 1, 0.5),
    "packed.vtp": (PACKED, 3, 1, 0.5),
    "appended.vtp": (APPENDED, 3, 1, 0.5),
    "plain.vtk": (VTK + "POLYGONS 1 4\n3 0 1 2\n", 3, 1, 0.5),
    "strip.vtk": (VTK + "TRIANGLE_STRIPS 1 4\n3 0 1 2\n", 3, 1, 0.5),
    "five.vtk": (
        VTK.replace("3.0", "5.1")
        + "POLYGONS 2 3\nOFFSETS vtktypeint64\n0 3\nCONNECTIVITY vtktypeint64\n0 1 2\n",
        3,
        1,
        0.5,
    ),
    "scalars.vtk": (
        VTK
        + "POLYGONS 1 4\n3 0 1 2\nPOINT_DATA 3\nSCALARS a float 1\nLOOKUP_TABLE default\n1 2 3\n",
        3,
        1,
        0.5,
    ),
    "plain.mesh": (
        "MeshVersionFormatted 1\nDimension\n3\nVertices\n3\n0 0 0 1\n1 0 0 1\n0 1 0 1\nTriangles\n1\n1 2 3 7\nEnd\n",
        3,
        1,
        0.5,
    ),
    "one line.mesh": (
        "MeshVersionFormatted 2 Dimension 2 Vertices 3 0 0 1 1 0 1 0 1 1 Triangles 1 1 2 3 7 End",
        3,
        1,
        0.5,
    ),
    "plain.msh": (MSH2, 3, 1, 0.5),
    "four.msh": (MSH4, 3, 1, 0.5),
    "plain.pcd": (PCD.format(w=3, p=3, d="ascii") + XYZ3, 3, 0, 0.0),
    "counted.pts": ("3\n" + XYZ3, 3, 0, 0.0),
    "commas.xyz": ("# x, y, z\n0,0,0\n1,0,0\n0,1,0\n", 3, 0, 0.0),
}

# name: (content, part of the message)
ILLEGAL: dict[str, tuple[bytes | str, str]] = {
    "zero.obj": (V3 + "f 0 1 2\n", "line 4"),
    "beyond.obj": (V3 + "f 1 2 4\n", "names vertex 3, expected 0 to 2"),
    "before.obj": (V3 + "f -4 -2 -1\n", "before the first|line 4"),
    "huge index.obj": (V3 + "f 1 2 99999999999999999999\n", "line 4"),
    "words.obj": ("v one two three\n", "line 1"),
    "two coordinates.obj": ("v 1 2\n", "line 1"),
    "glued.obj": (V3 + "f 1 2 3x\n", "line 4"),
    "uv beyond.obj": (V3 + "vt 0 0\nf 1/1 2/2 3/3\n", "names uv"),
    "line beyond.obj": (V3 + "l 1 9\n", "a line names a vertex"),
    "binary.obj": (bytes(range(256)) * 4, "binary data"),
    "image.obj": (b"\x89PNG\r\n\x1a\n" + bytes(100), "binary data"),
    "empty face.obj": (V3 + "f # nothing\n", "line 4"),
    "lying.ply": (ply(XYZ3, vertices=10**15), "promises 1000000000000000"),
    "lying faces.ply": (ply(XYZ3, faces=10**15), "promises 1000000000000000"),
    "lying binary.ply": (
        ply(bytes(60), vertices=4 * 10**9, form="binary_little_endian"),
        "promises",
    ),
    "long list.ply": (
        ply(
            TRIANGLE + b"\xff\xff\xff\x7f",
            form="binary_little_endian",
            face="list int int vertex_indices",
        ),
        "ends before",
    ),
    "negative list.ply": (
        ply(
            TRIANGLE + b"\xff\xff\xff\xff",
            form="binary_little_endian",
            face="list int int vertex_indices",
        ),
        "negative length|has length -1",
    ),
    "negative count.ply": (ply(XYZ3, vertices=-3), "not a legal line"),
    "no end.ply": (b"ply\nformat ascii 1.0\nelement vertex 3\n", "end_header"),
    "no format.ply": (b"ply\nelement vertex 0\nend_header\n", "expected format"),
    "no z.ply": (
        ply("0 0\n" * 3, faces=0, vertex="property float x\nproperty float y\n"),
        "x, y and z",
    ),
    "twice x.ply": (
        ply(
            "0 0 0\n" * 3, faces=0, vertex="property float x\nproperty float x\nproperty float z\n"
        ),
        "two properties of one name",
    ),
    "odd type.ply": (ply(XYZ3, face="list uchar quaternion vertex_indices"), "not a legal line"),
    "float list.ply": (ply(XYZ3 + "1.5 0 1 2\n"), "ends before|has length 1.5"),
    "nan index.ply": (ply(XYZ3 + "3 0 1 nan\n"), "expected whole numbers"),
    "lying.stl": (bytes(80) + struct.pack("<I", 0xFFFFFFFF) + bytes(50), "promises 4294967295"),
    "one byte less.stl": (bytes(80) + struct.pack("<I", 1) + bytes(49), "promises 1"),
    "tiny.stl": (b"x" * 20, "at least 84 bytes"),
    "two corners.stl": (
        b"solid a\nfacet normal 0 0 1\nvertex 0 0 0\nvertex 1 0 0\nendfacet\nendsolid a\n",
        "3 vertices a facet",
    ),
    "no numbers.stl": (
        b"solid a\nfacet normal 0 0 1\nvertex a b c\nendfacet\nendsolid a\n",
        "line 3",
    ),
    "lying.off": ("OFF\n999999999999 1 0\n0 0 0\n", "promises 999999999999"),
    "four.off": ("4OFF\n1 0 0\n0 0 0 1\n", "three dimensions"),
    "n.off": ("nOFF\n4\n1 0 0\n0 0 0 1\n", "three dimensions"),
    "binary.off": (b"OFF BINARY\n" + bytes(20), "binary OFF is not read"),
    "words.off": ("OFF\nthree one zero\n", "numbers of vertices"),
    "negative.off": ("OFF\n-1 0 0\n", "0 or more"),
    "beyond.off": (f"OFF\n3 1 0\n{XYZ3}3 0 1 3\n", "names vertex 3"),
    "short face.off": (f"OFF\n3 1 0\n{XYZ3}4 0 1 2\n", "promises 4 corners"),
    "fraction.off": (f"OFF\n3 1 0\n{XYZ3}2.5 0 1 2\n", "face 0"),
    "not json.gltf": (b"{]", "expected the JSON"),
    "list.gltf": (b"[]", "with 'asset'"),
    "deep.gltf": (b'{"a":' * 50_000, "expected the JSON"),
    "one.gltf": (gltf(asset={"version": "1.0"}), "version 2"),
    "draco.gltf": (
        gltf(extensionsRequired=["KHR_draco_mesh_compression"]),
        "KHR_draco_mesh_compression",
    ),
    "cycle.gltf": (gltf(nodes=[{"children": [1]}, {"children": [0]}]), "its own ancestor"),
    "no node.gltf": (gltf(scenes=[{"nodes": [7]}]), r"nodes\[7\]"),
    "negative.gltf": (
        gltf(accessors=[{"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": -1}]),
        "count",
    ),
    "beyond.gltf": (
        gltf(accessors=[{"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 4}]),
        "promises 4",
    ),
    "no data.gltf": (
        gltf(accessors=[{"componentType": 5126, "type": "VEC3", "count": 10**10}]),
        "promises 10000000000",
    ),
    "bad stride.gltf": (
        gltf(bufferViews=[{"buffer": 0, "byteLength": 36, "byteStride": 2}]),
        "promises 3 entries",
    ),
    "view beyond.gltf": (
        gltf(bufferViews=[{"buffer": 0, "byteOffset": 30, "byteLength": 36}]),
        "ends at byte 66",
    ),
    "base64.gltf": (gltf(buffers=[{"byteLength": 36, "uri": "data:;base64,@@@"}]), "base64"),
    "traversal.gltf": (
        gltf(buffers=[{"byteLength": 36, "uri": "../secret.bin"}]),
        "outside its folder",
    ),
    "percent.gltf": (
        gltf(buffers=[{"byteLength": 36, "uri": "%2e%2e/secret.bin"}]),
        "outside its folder",
    ),
    "absolute.gltf": (
        gltf(buffers=[{"byteLength": 36, "uri": "/etc/passwd"}]),
        "outside its folder",
    ),
    "network.gltf": (
        gltf(buffers=[{"byteLength": 36, "uri": "http://127.0.0.1/x.bin"}]),
        "outside its folder",
    ),
    "file.gltf": (
        gltf(buffers=[{"byteLength": 36, "uri": "file:///etc/passwd"}]),
        "outside its folder",
    ),
    "missing.gltf": (gltf(buffers=[{"byteLength": 36, "uri": "gone.bin"}]), "cannot be read"),
    "image outside.gltf": (gltf(images=[{"uri": "../../etc/passwd"}]), "outside its folder"),
    "mode.gltf": (
        gltf(meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 99}]}]),
        "mode 99",
    ),
    "matrix.gltf": (gltf(nodes=[{"mesh": 0, "matrix": [1, 2]}]), "16 numbers"),
    "text.gltf": (gltf(nodes=[{"mesh": "zero"}]), "meshes"),
    "short.glb": (b"glTF" + bytes(4), "at least 20 bytes"),
    "lying.glb": (glb({"asset": {"version": "2.0"}}, total=10**9), "promises 1000000000"),
    "chunk.glb": (struct.pack("<IIIII", 0x46546C67, 2, 20, 10**8, 0x4E4F534A), "a chunk promises"),
    "no json.glb": (struct.pack("<IIIII", 0x46546C67, 2, 20, 0, 0x004E4942), "chunk of JSON"),
    "not zip.3mf": (b"PK\x03\x04" + bytes(60), "expected a zip"),
    "no model.3mf": (archive({"a.txt": "x"}), "3D model"),
    "bomb.3mf": (bomb(), "which is refused"),
    "laughs.3mf": (threemf("<a>&d;</a>", head=LAUGHS), "refused"),
    "external.3mf": (threemf("<a>&e;</a>", head=EXTERNAL), "refused"),
    "cycle.3mf": (
        threemf('<object id="1"><components><component objectid="1"/></components></object>'),
        "a component of itself",
    ),
    "no object.3mf": (threemf("", '<item objectid="9"/>'), "'9', which is not there"),
    "beyond.3mf": (
        threemf(f'<object id="1">{MESH3}</object>'.replace('"2"', '"9"')),
        "names vertex 9",
    ),
    "word.3mf": (threemf(f'<object id="1">{MESH3.replace("x=", "q=")}</object>'), "lacks 'x'"),
    "deep.3mf": (threemf("<a>" * 5000 + "</a>" * 5000), "nested"),
    "cut.3mf": (archive({"3D/3dmodel.model": "<model><resources>"}), "XML is damaged"),
    "laughs.dae": (dae("<a>&d;</a>", head=LAUGHS), "refused"),
    "external.dae": (dae("<a>&e;</a>", head=EXTERNAL), "refused"),
    "cycle.dae": (
        dae("", nodes="<node id='n'><instance_node url='#n'/></node>"),
        "its own ancestor",
    ),
    "beyond.dae": (
        dae(f"<triangles count='1'>{DAE_INPUT}<p>0 1 9</p></triangles>"),
        "names vertex 9",
    ),
    "vcount.dae": (
        dae(f"<polylist count='1'>{DAE_INPUT}<vcount>400000000</vcount><p>0 1 2</p></polylist>"),
        "vcount",
    ),
    "outside.dae": (
        dae("", nodes="<node><instance_geometry url='http://x/y#g'/></node>"),
        "outside the file",
    ),
    "not xml.dae": (b"hello", "XML is damaged"),
    "laughs.vtp": (vtp(POINTS, head=LAUGHS), "refused"),
    "offsets.vtp": (vtp(POINTS + POLYS.replace(">3<", ">9<")), "offsets of its cells"),
    "lying.vtp": (
        vtp(
            '<Points><DataArray type="Float32" NumberOfComponents="3" format="binary">'
            + base64.b64encode(np.uint32(2**31).tobytes() + TRIANGLE).decode()
            + "</DataArray></Points>"
        ),
        "promises 2147483648",
    ),
    "blocks.vtp": (
        PACKED.replace(
            packed(np.frombuffer(TRIANGLE, "<f4")).encode(),
            base64.b64encode(np.array([2**31, 36, 36, 9], "<u4").tobytes() * 2),
        ),
        "more blocks",
    ),
    "image.vtp": (vtp("", form="ImageData"), "expected PolyData"),
    "lying.vtk": (VTK.replace("POINTS 3", "POINTS 999999999"), "promises"),
    "cells.vtk": (VTK + "POLYGONS 1 4\n9 0 1 2\n", "more corners"),
    "rows.vtk": (
        VTK + "POLYGONS 1 4\n3 0 1 2\nPOINT_DATA 9\nSCALARS a float\n1 2\n",
        "promises 9 rows",
    ),
    "grid.vtk": ("# vtk DataFile Version 3.0\n\nASCII\nDATASET STRUCTURED_POINTS\n", "is not read"),
    "lying.mesh": (
        "MeshVersionFormatted 1\nDimension 3\nVertices\n999999999\n0 0 0 0\n",
        "promises 999999999",
    ),
    "beyond.mesh": (
        "MeshVersionFormatted 1\nDimension 3\nVertices\n1\n0 0 0 0\nTriangles\n1\n1 2 3 0\n",
        "names vertex",
    ),
    "four.mesh": ("MeshVersionFormatted 1\nDimension 4\n", "dimension 2 or 3"),
    "lying.msh": (MSH2.replace("$Nodes\n3", "$Nodes\n99999999"), "promises 99999999"),
    "no node.msh": (MSH2.replace("7 5 9", "7 5 8"), "not there"),
    "one.msh": ("$MeshFormat\n1.0 0 8\n$EndMeshFormat\n", "version 1"),
    "kind.msh": (MSH2.replace("2 2 2 4", "2 9 2 4"), "kind 9"),
    "lying.pcd": (PCD.format(w=10**9, p=10**9, d="binary") + "x", "promises 1000000000"),
    "fields.pcd": (PCD.format(w=3, p=3, d="ascii").replace("SIZE 4 4 4", "SIZE 4 4"), "do not fit"),
    "ragged.xyz": ("0 0 0\n1 0\n", "point 1 has 2 numbers"),
    "words.xyz": ("0 0 zero\n", "line 1"),
    "not zip.npz": (b"PK\x03\x04" + bytes(60), "expected a zip"),
    "no arrays.npz": (archive({"a.txt": "x"}), "expected arrays 'vertices'"),
    "objects.npz": (
        archive(
            {
                "vertices.npy": b"\x93NUMPY\x01\x00v\x00"
                + b"{'descr': '|O', 'fortran_order': False, 'shape': (3, 3), }".ljust(117)
                + b"\n"
                + bytes(80)
            }
        ),
        "Python objects",
    ),
    "header.safetensors": (struct.pack("<Q", 10**12) + b"{}", "safetensors"),
    "short.safetensors": (b"x", "safetensors"),
}
