# ruff: noqa: E501
"""Odd files of USD, by hand: legal ones with what they hold, and those that are refused."""

from __future__ import annotations

import io
import struct
import zipfile


def usda(body: str, head: str = "") -> str:
    return f"#usda 1.0\n{f'({head})' if head else ''}\n{body}\n"


def usdz(members: dict[str, bytes | str], packed: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


P3 = "point3f[] points = [(0,0,0), (1,0,0), (0,1,0)]\n"
F3 = "int[] faceVertexCounts = [3]\nint[] faceVertexIndices = [0, 1, 2]\n"
MESH = f'def Mesh "m" {{\n{P3}{F3}}}'
USD_LEGAL: dict[str, tuple[bytes | str, int, int, float]] = {
    "plain.usda": (usda(MESH), 3, 1, 0.5),
    "no unit.usda": (usda(MESH, "metersPerUnit = 0"), 3, 1, 0.5),
    "text.usd": (usda(MESH), 3, 1, 0.5),
    "quad.usda": (
        usda(
            'def Mesh "m" {\npoint3f[] points = [(0,0,0), (1,0,0), (1,1,0), (0,1,0)]\n'
            "int[] faceVertexCounts = [4]\nint[] faceVertexIndices = [0,1,2,3]\n}"
        ),
        4,
        1,
        1.0,
    ),
    "left.usda": (
        usda(
            f'def Mesh "m" {{\nuniform token orientation = "leftHanded"\n{P3}int[] faceVertexCounts = [3]\n'
            "int[] faceVertexIndices = [2, 1, 0]\n}"
        ),
        3,
        1,
        0.5,
    ),
    "placed.usda": (
        usda(
            'def Xform "a" {\ndouble3 xformOp:translate = (5, 5, 5)\nfloat3 xformOp:scale = (2, 1, 1)\n'
            f'uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:scale"]\n{MESH}\n}}'
        ),
        3,
        1,
        1.0,
    ),
    "within twice.usda": (
        usda(f'{MESH}\ndef "n" (references = </m>) {{}}\ndef "i" (inherits = </m>) {{}}'),
        9,
        3,
        1.5,
    ),
    "instances twice.usda": (
        usda(
            f'class Xform "c" {{\n{MESH}\n}}\ndef "a" (instanceable = true\nreferences = </c>) {{}}\n'
            'def "b" (instanceable = true\nreferences = </c>) {}'
        ),
        6,
        2,
        1.0,
    ),
    "variant.usda": (
        usda(
            'def Xform "a" (variants = {string v = "two"}\nprepend variantSets = "v") {\n'
            f'variantSet "v" = {{\n"one" {{\n}}\n"two" {{\n{MESH}\n}}\n}}\n}}'
        ),
        3,
        1,
        0.5,
    ),
    "moving.usda": (
        usda(
            f'def Mesh "m" {{\n{F3}point3f[] points.timeSamples = {{1: [(0,0,0), (1,0,0), (0,1,0)], '
            "2: [(0,0,0), (9,0,0), (0,9,0)]}\n}"
        ),
        3,
        1,
        0.5,
    ),
    "proxy.usda": (
        usda(f'{MESH}\ndef Mesh "p" {{\nuniform token purpose = "proxy"\n{P3}{F3}}}'),
        3,
        1,
        0.5,
    ),
    "camera.usda": (usda(f'{MESH}\ndef Camera "s" {{}}'), 3, 1, 0.5),
    "over.usda": (usda(f'{MESH}\nover "s" {{}}'), 3, 1, 0.5),
    "nothing.usda": (usda(""), 0, 0, 0.0),
    "no points.usda": (usda('def Mesh "m" {}'), 0, 0, 0.0),
    "cloud.usda": (usda(f'def Points "p" {{\n{P3}}}'), 3, 0, 0.0),
    "ring.usda": (
        usda(
            f'def BasisCurves "c" {{\n{P3}int[] curveVertexCounts = [3]\nuniform token type = "linear"\n'
            'uniform token wrap = "periodic"\n}'
        ),
        3,
        0,
        0.0,
    ),
    "clips.usda": (
        usda(
            f'def Xform "x" (clips = {{dictionary default = {{asset[] assetPaths = [@/etc/passwd@]\n'
            f'string primPath = "/x"\ndouble2[] active = [(0, 0)]\n}}\n}}) {{\n{MESH}\n}}'
        ),
        3,
        1,
        0.5,
    ),
    "texture outside.usda": (
        usda(
            f'{MESH}\ndef Material "t" {{\ntoken outputs:surface.connect = </t/s.outputs:surface>\ndef Shader "s" {{\n'
            'uniform token info:id = "UsdPreviewSurface"\ncolor3f inputs:diffuseColor.connect = </t/u.outputs:rgb>\n'
            'token outputs:surface\n}\ndef Shader "u" {\nuniform token info:id = "UsdUVTexture"\n'
            "asset inputs:file = @../../etc/passwd@\nfloat3 outputs:rgb\n}\n}"
        ),
        3,
        1,
        0.5,
    ),
    "plain.usdz": (usdz({"a.usda": usda(MESH)}), 3, 1, 0.5),
    "packed.usdz": (usdz({"a.usda": usda(MESH)}, packed=True), 3, 1, 0.5),
    "members.usdz": (
        usdz(
            {
                "a.usda": usda('def "a" (references = @./in/b.usda@</m>) {}'),
                "in/b.usda": usda(MESH),
            }
        ),
        3,
        1,
        0.5,
    ),
}
_LAUGHS = "".join(
    f'def "p{k}" {{\ndef "a" (references = </p{k + 1}>) {{}}\ndef "b" (references = </p{k + 1}>) {{}}\n}}\n'
    for k in range(30)
)
_CRATE = b"PXR-USDC" + bytes([0, 8, 0, 0, 0, 0, 0, 0])
USD_ILLEGAL: dict[str, tuple[bytes | str, str]] = {
    "words.usda": ("hello\n", "expected '#usda'"),
    "latin.usda": (usda('def Mesh "ü" {}').encode("latin-1"), "not UTF-8 at byte 21"),
    "cut.usda": (usda('def Mesh "m" {'), "Expected }"),
    "deep.usda": (usda('def Mesh "m" {\nint[] a = ' + "[" * 200_000), "gave up|Expected|matching"),
    "laughs.usda": (usda(_LAUGHS), "gave up"),
    "outside.usda": (
        usda('def "a" (references = @/etc/other.usda@</m>) {}'),
        "needs the layer '/etc/other.usda'",
    ),
    "network.usda": (
        usda('def "a" (payload = @http://127.0.0.1/x.usd@) {}'),
        "needs the layer 'http://127.0.0.1/x.usd'",
    ),
    "below.usda": (usda(MESH, "subLayers = [@./b.usda@]"), "needs the layer './b.usda'"),
    "beyond.usda": (
        usda(f'def Mesh "m" {{\n{P3}{F3.replace("1, 2", "1, 3")}}}'),
        "names vertex 3",
    ),
    "counts.usda": (
        usda(f'def Mesh "m" {{\n{P3}{F3.replace("[3]", "[2000000000]")}}}'),
        "promises 2000000000 corners, there are 3",
    ),
    "negative.usda": (usda(f'def Mesh "m" {{\n{P3}{F3.replace("[3]", "[-3, 6]")}}}'), "promises 3"),
    "subset.usda": (
        usda(
            f'def Mesh "m" {{\n{P3}{F3}def GeomSubset "g" {{\nuniform token elementType = "face"\n'
            "int[] indices = [9]\n}\n}"
        ),
        "a face that is not there, of 1",
    ),
    "curve.usda": (
        usda(f'def BasisCurves "c" {{\n{P3}int[] curveVertexCounts = [2, 2]\n}}'),
        "promises 4 corners",
    ),
    "few.usda": (
        usda(
            f'def Mesh "m" {{\n{P3}{F3}float[] primvars:heat = [1, 2] (interpolation = "vertex")\n}}'
        ),
        "'heat' has 2 values, expected 3",
    ),
    "index.usda": (
        usda(
            f'def Mesh "m" {{\n{P3}{F3}texCoord2f[] primvars:st = [(0, 0)] (interpolation = "faceVarying")\n'
            "int[] primvars:st:indices = [0, 0, 7]\n}"
        ),
        "names uv 7",
    ),
    "repeated.usda": (
        usda(
            f'def Mesh "m" {{\n{P3}{F3}float[] primvars:h = [1] (interpolation = "vertex")\n'
            "int[] primvars:h:indices = [0, 0, -2]\n}"
        ),
        "an index of 'h'",
    ),
    "old.usdc": (bytes(_CRATE[:8]) + bytes(80), "obsolete version"),
    "short.usdc": (_CRATE, "not|damaged|too small|Corrupt|truncated|Failed"),
    "lying.usdc": (_CRATE + struct.pack("<q", 10**15) + bytes(64), "gave up|orrupt|ailed|offset"),
    "not zip.usdz": (b"PK\x03\x04" + bytes(60), "expected a zip"),
    "no layer.usdz": (usdz({"a.txt": "x"}), "no member that is a layer"),
    "beside.usdz": (
        usdz({"a.usda": usda('def "a" (references = @../b.usda@</m>) {}'), "b.usda": usda(MESH)}),
        "needs the layer '../b.usda'",
    ),
    "bomb.usdz": (usdz({"a.usda": b" " * (64 << 20)}, packed=True), "which is refused"),
}
