"""Files of glTF for the fuzzer beside those of the tests' documents: compressed, of version 1, with
materials of many extensions, posed. Draco's data is decoded by a library that is not ours."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path

import numpy as np

from meshlearn.io.files import encode
from tests.io.gltf_scene import Scene, picture
from tests.io.samples import documents
from tests.io.test_gltf_version1 import DATA, binary, body


def _materials() -> bytes:
    """A posed triangle with a material of every extension that is understood."""
    scene = Scene()
    joints, weights = scene.add([[0, 0, 0, 0]] * 3, "u1"), scene.add([[1, 0, 0, 0]] * 3)
    moves = [{"POSITION": scene.add(np.ones((3, 3)))}]
    more = {"JOINTS_0": joints, "WEIGHTS_0": weights, "TEXCOORD_0": scene.add([[0, 0]] * 3)}
    scene.mesh({"weights": [0.5]}, {"material": 0, "targets": moves}, **more)
    texture = {"index": scene.image(picture()), "extensions": {}}
    texture["extensions"]["KHR_texture_transform"] = {"scale": [2, 3], "rotation": 0.5}
    specular = {"diffuseTexture": texture, "specularGlossinessTexture": texture}
    material = {
        "normalTexture": texture,
        "emissiveFactor": [1, 0, 0],
        "extensions": {
            "KHR_materials_pbrSpecularGlossiness": specular,
            "KHR_materials_emissive_strength": {"emissiveStrength": 3},
            "KHR_materials_ior": {"ior": 1.4},
        },
    }
    places = {"TRANSLATION": scene.add([[0, 0, 0], [1, 1, 1]])}
    copies = {"EXT_mesh_gpu_instancing": {"attributes": places}}
    nodes = [{"mesh": 0, "skin": 0}, {"rotation": [0, 0, 0, 1]}, {"mesh": 0, "extensions": copies}]
    with tempfile.TemporaryDirectory() as folder:
        path = scene.write(
            Path(folder), nodes, [0, 1, 2], skins=[{"joints": [1]}], materials=[material]
        )
        return path.read_bytes()


def seeds(suffix: str) -> list[bytes]:
    """More files of .glb or .gltf; none of others."""
    if suffix not in (".glb", ".gltf"):
        return []
    name = f"x{suffix}"
    out = [encode(d, name, compress="meshopt")[name] for d in documents().values()]
    if suffix == ".glb":
        return [*out, binary(body(), DATA)]
    uri = "data:;base64," + base64.b64encode(DATA).decode()
    return [*out, json.dumps(body(uri)).encode(), _materials()]
