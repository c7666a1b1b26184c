"""Files that are refused, and what is said of them."""

from __future__ import annotations

import base64
import struct

import numpy as np

from tests.io.pieces import (
    DAE_INPUT,
    EXTERNAL,
    GRID,
    LAUGHS,
    MESH3,
    MSH2,
    PACKED,
    PCD,
    POINTS,
    POLYS,
    TRIANGLE,
    V3,
    VTK,
    XYZ3,
    XYZ9,
    archive,
    bomb,
    dae,
    glb,
    gltf,
    las,
    off_binary,
    packed,
    ply,
    texts_of_kind,
    threemf,
    vti,
    vtp,
)
from tests.io.usd_files import USD_ILLEGAL

# name: (content, part of the message)
ILLEGAL: dict[str, tuple[bytes | str, str]] = {
    "zero.obj": (V3 + "f 0 1 2\n", "line 4"),
    "beyond.obj": (V3 + "f 1 2 4\n", "names vertex 3, expected 0 to 2"),
    "before.obj": (V3 + "f -4 -2 -1\n", "before the first|line 4"),
    "huge index.obj": (V3 + "f 1 2 99999999999999999999\n", "line 4"),
    "words.obj": ("v one two three\n", "line 1"),
    "two coordinates.obj": ("v 1 2\n", "line 1"),
    "glued.obj": (V3 + "f 1 2 3x\n", "line 4"),
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
    "lying past 64 bits.ply": (
        ply(bytes(36) + b"\x03" + bytes(12), faces=10**20, form="binary_little_endian"),
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
    "lying.stl": (bytes(80) + struct.pack("<I", 0xFFFFFFFE) + bytes(50), "promises 4294967294"),
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
    "lying binary.off": (off_binary(10**9, 1, XYZ9), "promises 1000000000 vertices"),
    "lying faces binary.off": (off_binary(3, 10**9, XYZ9), "promises 3 vertices and 1000000000"),
    "negative binary.off": (off_binary(3, -1, XYZ9), "promises 3 vertices and -1 faces"),
    "long face binary.off": (off_binary(3, 1, XYZ9, [2**31 - 1, 0, 1, 2, 0]), "face 0 has 2147"),
    "cut face binary.off": (off_binary(3, 2, XYZ9, [3, 0, 1, 2, 0, 3, 0, 1]), "face 1 has 3"),
    "colours binary.off": (off_binary(3, 1, XYZ9, [3, 0, 1, 2, 99]), "99 components"),
    "beyond binary.off": (off_binary(3, 1, XYZ9, [3, 0, 1, 7, 0]), "names vertex 7"),
    "no line binary.off": (b"OFF BINARY" + bytes(20), "end of the line"),
    "no counts binary.off": (b"OFF BINARY\n" + bytes(8), "numbers of vertices"),
    "words.off": ("OFF\nthree one zero\n", "numbers of vertices"),
    "negative.off": ("OFF\n-1 0 0\n", "0 or more"),
    "beyond.off": (f"OFF\n3 1 0\n{XYZ3}3 0 1 3\n", "names vertex 3"),
    "short face.off": (f"OFF\n3 1 0\n{XYZ3}4 0 1 2\n", "promises 4 corners"),
    "fraction.off": (f"OFF\n3 1 0\n{XYZ3}2.5 0 1 2\n", "face 0"),
    "not json.gltf": (b"{]", "expected the JSON"),
    "list.gltf": (b"[]", "with 'asset'"),
    "deep.gltf": (b'{"a":' * 50_000, "expected the JSON"),
    "one.gltf": (gltf(asset={"version": "1.0"}), "version 2"),
    "required.gltf": (gltf(extensionsRequired=["ACME_mesh_magic"]), "ACME_mesh_magic"),
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
    "no_components.vtk": (
        VTK + "POINT_DATA 3\nSCALARS heat float 0\nLOOKUP_TABLE default\n",
        "rows of 0 numbers",
    ),
    "lying.vtk": (VTK.replace("POINTS 3", "POINTS 999999999"), "promises"),
    "points twice.vtk": (
        VTK + "POINT_DATA 3\nSCALARS heat float 1\nLOOKUP_TABLE default\n1 2 3\n"
        "POINTS 1 float\n0 0 0\n",
        "no more POINTS",
    ),
    "cells.vtk": (VTK + "POLYGONS 1 4\n9 0 1 2\n", "more corners"),
    "rows.vtk": (
        VTK + "POLYGONS 1 4\n3 0 1 2\nPOINT_DATA 9\nSCALARS a float\n1 2\n",
        "promises 9 rows",
    ),
    "field.vtk": ("# vtk DataFile Version 3.0\n\nASCII\nDATASET FIELD\n", "is not read"),
    "grid.vtk": ("# vtk DataFile Version 3.0\n\nASCII\nDATASET STRUCTURED_POINTS\n", "a grid of 0"),
    "lying grid.vtk": (GRID.replace("2 2 2", "99999 99999 99999"), "promises 8 rows"),
    "bare grid.vtk": (
        "# vtk DataFile Version 3.0\n\nASCII\nDATASET STRUCTURED_POINTS\n"
        "DIMENSIONS 99999 99999 99999\n",
        "nothing is said",
    ),
    "axes.vtk": (
        "# vtk DataFile Version 3.0\n\nASCII\nDATASET RECTILINEAR_GRID\nDIMENSIONS 2 2 2\n"
        "X_COORDINATES 2 float\n0 1\n",
        "0 coordinates for 2 points",
    ),
    "lying.vti": (vti("0 99999 0 99999 0 99999"), "8 values of 'a' for"),
    "extent.vti": (vti("0 1 0 1 1 0"), "Extent: expected six whole numbers"),
    "origin.vti": (vti("0 1 0 1 0 1", "Origin='0 0 nan'"), "Origin: expected 3 numbers"),
    "kind.vti": (vtp(POINTS + POLYS), "expected ImageData"),
    "kind.vtr": (vti("0 1 0 1 0 1").replace("ImageData", "RectilinearGrid"), "three arrays"),
    "kind.vts": (vti("0 1 0 1 0 1").replace("ImageData", "StructuredGrid"), "expected the points"),
    "none.pvtu": (
        '<VTKFile type="PUnstructuredGrid"><PUnstructuredGrid><Piece Source="a.vtu"/>'
        "</PUnstructuredGrid></VTKFile>",
        "none of the files",
    ),
    "none.pvti": (
        '<VTKFile type="PImageData"><PImageData><Piece Source="a.vti"/></PImageData></VTKFile>',
        "it has no piece",
    ),
    "kind.vtm": ('<VTKFile type="PolyData"/>', "expected a parallel data set"),
    "itself.vtm": (
        '<VTKFile type="vtkMultiBlockDataSet"><vtkMultiBlockDataSet><DataSet file="itself.vtm"/>'
        "</vtkMultiBlockDataSet></VTKFile>",
        "more than 16 deep",
    ),
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
    "kind.msh": (MSH2.replace("2 2 2 4", "2 34 2 4"), "polygon"),
    "lying.pcd": (PCD.format(w=10**9, p=10**9, d="binary") + "x", "promises 1000000000"),
    "fields.pcd": (PCD.format(w=3, p=3, d="ascii").replace("SIZE 4 4 4", "SIZE 4 4"), "do not fit"),
    "lying.las": (las([(0, 0, 0)], count=10**9), "promises 1,000,000,000 points"),
    "short.las": (las([(0, 0, 0)], count=2), "promises 2 points|not a legal LAS"),
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
    "kind.safetensors": (texts_of_kind(",U1"), "a kind such as"),
    "objects.safetensors": (texts_of_kind("|O"), "a kind such as"),
    "wide.safetensors": (texts_of_kind("<U99999999"), "too wide"),
    "header.safetensors": (struct.pack("<Q", 10**12) + b"{}", "safetensors"),
    "short.safetensors": (b"x", "safetensors"),
    **USD_ILLEGAL,
}
