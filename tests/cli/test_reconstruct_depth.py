"""`reconstruct DIR OUT --method tsdf`."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import meshlearn as ml
from meshlearn.render import load_images, render_images, save_images


@pytest.fixture(scope="module")
def images():
    made = trimesh.creation.icosphere(subdivisions=4)
    mesh = ml.Mesh(torch.tensor(made.vertices, dtype=torch.float32), torch.tensor(made.faces))
    return render_images(mesh, 14, size=96, samples=1, progress=False)


def test_a_folder_of_depth_alone_is_reconstructed(images, tmp_path, cli):
    save_images(images, tmp_path / "views")
    record = json.loads((tmp_path / "views/transforms.json").read_text())
    for frame in record["frames"]:
        del frame["file_path"]
        del frame["mask_path"], frame["normal_path"]
    (tmp_path / "views/transforms.json").write_text(json.dumps(record))
    assert load_images(tmp_path / "views").kinds == ("depth",)
    out = tmp_path / "ball.ply"
    done = cli("reconstruct", tmp_path / "views", out, "--method", "tsdf")
    assert done.returncode == 0 and "1 component" in done.stderr + done.stdout
    mesh = ml.load(out)
    assert float((mesh.vertices.norm(dim=1) - 1).abs().mean()) < 5e-3
    # the same depth as whole millimetres where the cameras count metres
    for path in (tmp_path / "views/depth").glob("*.png"):
        values = np.asarray(Image.open(path)).astype(np.float64) * record["integer_depth_scale"]
        Image.fromarray((values * 1000).astype(np.uint16)).save(path)
    record["integer_depth_scale"] = 1.0
    (tmp_path / "views/transforms.json").write_text(json.dumps(record))
    refused = cli("reconstruct", tmp_path / "views", tmp_path / "no.ply", "--method", "tsdf")
    assert refused.returncode and "integer_depth_scale" in refused.stderr
    assert not (tmp_path / "no.ply").exists()
