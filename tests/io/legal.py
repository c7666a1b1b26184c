# ruff: noqa: E501
"""Odd files that are legal, and what they hold."""

from __future__ import annotations

import json
import struct

from tests.io.pieces import (
    APPENDED,
    DAE_INPUT,
    GRID,
    MESH3,
    MSH2,
    MSH4,
    PACKED,
    PCD,
    POINTS,
    POLYS,
    QUANTISED,
    RGBA21,
    SPARSE,
    STL,
    TRIANGLE,
    V3,
    V4,
    VTK,
    VTR,
    VTS,
    XYZ3,
    XYZ9,
    dae,
    glb,
    gltf,
    off_binary,
    ply,
    threemf,
    vti,
    vtp,
)
from tests.io.usd_files import USD_LEGAL

# name: (content, vertices, polygons, area of the triangles)
LEGAL: dict[str, tuple[bytes | str, int, int, float]] = {
    "one number a corner.ply": (
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
        "property float z\nelement face 1\nproperty list uchar int vertex_indices\n"
        "property list uchar float corner_heat\nend_header\n0 0 0\n1 0 0\n0 1 0\n"
        "3 0 1 2 3 0.5 0.25 1\n",
        3,
        1,
        0.5,
    ),
    "index that is none.off": ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2 nan\n", 3, 1, 0.5),
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
    "plain binary.off": (off_binary(3, 1, XYZ9, [3, 0, 1, 2, 0]), 3, 1, 0.5),
    "mixed binary.off": (
        off_binary(3, 3, XYZ9, [3, 0, 1, 2, 3, 1.0, 0.0, 0.0, 2, 0, 1, 0, 3, 0, 1, 2, 1, 2.0]),
        3,
        3,
        1.0,
    ),
    "nofaces binary.off": (off_binary(3, 0, XYZ9), 3, 0, 0.0),
    "coff binary.off": (off_binary(3, 1, RGBA21, [3, 0, 1, 2, 0], word="COFF"), 3, 1, 0.5),
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
    "grid.vtk": (GRID, 8, 6, 6.0),
    "sheet.vtk": (
        GRID.replace("2 2 2", "4 2 1").replace("SPACING 1 1 1", "ASPECT_RATIO 1 1 0"),
        8,
        3,
        3.0,
    ),
    "axes.vtk": (
        "# vtk DataFile Version 3.0\n\nASCII\nDATASET RECTILINEAR_GRID\nDIMENSIONS 2 2 2\n"
        "X_COORDINATES 2 float\n0 1\nY_COORDINATES 2 double\n0 2\nZ_COORDINATES 2 int\n0 3\n",
        8,
        6,
        22.0,
    ),
    "plain.vtr": (VTR, 8, 6, 22.0),
    "plain.vts": (VTS, 8, 6, 6.0),
    "box.vti": (vti("3 4 0 1 0 1"), 8, 6, 6.0),
    "turned.vti": (vti("0 1 0 1 0 1", "Direction='0 1 0 1 0 0 0 0 1'"), 8, 6, 6.0),
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
    **USD_LEGAL,
}
