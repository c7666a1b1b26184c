"""One mesh carried by joints, and three copies of one mesh, in the words of each format.

The copies are alike in all: at the origin, turned by half a turn at x = 5, of double size at y = 5,
all three lifted by 3.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from meshlearn.io import Document
from meshlearn.io.archive import pack
from meshlearn.io.formats.gltf.read import read as read_gltf
from meshlearn.io.formats.threemf.read import read as read_3mf
from tests.io.gltf_scene import Scene

LIFT = (0, 0, 3)
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0]], np.float32)
COPIES = np.array(
    [CORNERS + LIFT, CORNERS * (-1, -1, 1) + (5, 0, 3), 2 * CORNERS + (0, 5, 3)], np.float32
)
BENT = np.array([[0, 0, 4], [1, 0, 4], [0, -2, 7]], np.float32)  # what `skinned` holds


def _gltf(scene: Scene, nodes: list[dict], **more: object) -> Document:
    return read_gltf(json.dumps(scene.body(nodes, **more)).encode(), Path("posed.gltf"))


def skinned() -> Document:
    """Two corners carried by one joint, the third by another; both stand elsewhere than where they
    were bound."""
    scene = Scene()
    joints = scene.add([[0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]], "u1")
    weights = scene.add([[1, 0, 0, 0]] * 3)
    scene.mesh(corners=CORNERS, JOINTS_0=joints, WEIGHTS_0=weights)
    bind = np.tile(np.eye(4), (2, 1, 1))
    bind[:, 2, 3] = 1, -3
    skin = {"joints": [1, 2], "inverseBindMatrices": scene.add(bind.transpose(0, 2, 1))}
    nodes = [
        {"mesh": 0, "skin": 0, "name": "arm", "translation": [7, 7, 7]},
        {"translation": [0, 0, 3]},
        {"rotation": [1, 0, 0, 0], "translation": [0, 0, 4]},  # half a turn about x
    ]
    return _gltf(scene, nodes, roots=[0, 1, 2], skins=[skin])


def copies_gltf() -> Document:
    """By EXT_mesh_gpu_instancing."""
    scene = Scene()
    scene.mesh(corners=CORNERS)
    attributes = {
        "TRANSLATION": scene.add([[0, 0, 0], [5, 0, 0], [0, 5, 0]]),
        "ROTATION": scene.add([[0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]]),
        "SCALE": scene.add([[1, 1, 1], [1, 1, 1], [2, 2, 2]]),
    }
    said = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    node = {"mesh": 0, "name": "tree", "translation": list(LIFT), "extensions": said}
    return _gltf(scene, [node], extensionsUsed=list(said))


def copies_3mf() -> Document:
    """By components of an object, which the build places."""
    turned = ("1 0 0 0 1 0 0 0 1 0 0 0", "-1 0 0 0 -1 0 0 0 1 5 0 0", "2 0 0 0 2 0 0 0 2 0 5 0")
    corners = "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in CORNERS.tolist())
    mesh = f'<mesh><vertices>{corners}</vertices><triangles><triangle v1="0" v2="1" v3="2"/>'
    components = "".join(f'<component objectid="1" transform="{t}"/>' for t in turned)
    model = (
        '<model unit="millimeter" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02">'
        f'<resources><object id="1" name="tree">{mesh}</triangles></mesh></object><object id="2" '
        f'name="wood"><components>{components}</components></object></resources><build>'
        '<item objectid="2" transform="1 0 0 0 1 0 0 0 1 0 0 3"/></build></model>'
    )
    return read_3mf(pack({"3D/3dmodel.model": model.encode()}), Path("posed.3mf"))


COPIES_USDA = """#usda 1.0
def Xform "w" { double3 xformOp:translate = (0, 0, 3)
uniform token[] xformOpOrder = ["xformOp:translate"]
def PointInstancer "i" {
    rel prototypes = </w/i/tree>
    int[] protoIndices = [0, 0, 0]
    point3f[] positions = [(0, 0, 0), (5, 0, 0), (0, 5, 0)]
    quath[] orientations = [(1, 0, 0, 0), (0, 0, 0, 1), (1, 0, 0, 0)]
    float3[] scales = [(1, 1, 1), (1, 1, 1), (2, 2, 2)]
    def Mesh "tree" { int[] faceVertexCounts = [3]
        int[] faceVertexIndices = [0, 1, 2]
        point3f[] points = [(0, 0, 0), (1, 0, 0), (0, 2, 0)]
    }
}
}
"""
