"""The GPU's way to rasterise, built for the CPU: it must give what the CPU's own way gives."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from meshlearn import Camera, Mesh, rasterize
from meshlearn._native import HAS_NATIVE, SANITIZED
from meshlearn._segment import Incidence
from tests.render.shapes import plane, sphere
from tests.render.test_rasterize import soup

ROOT = Path(__file__).resolve().parents[2]
SOURCE = """
#include "drivers/rasterize.h"
#include "common/exec_cpu.h"
using namespace meshlearn;
STABLE_TORCH_LIBRARY(meshlearn_by_face, m) {
  m.def("rasterize(Tensor clip, Tensor faces, Tensor near, Tensor? behind, int height, "
        "int width) -> (Tensor, Tensor, Tensor)");
  m.def("rasterize_backward(Tensor clip, Tensor faces, Tensor near, Tensor face, Tensor? "
        "grad_barycentric, Tensor? grad_depth, Tensor start, Tensor order) -> Tensor");
}
STABLE_TORCH_LIBRARY_IMPL(meshlearn_by_face, CPU, m) {
  m.impl("rasterize", TORCH_BOX((&rasterize<CpuExec, RasterFaces>)));
  m.impl("rasterize_backward", TORCH_BOX((&rasterize_backward<CpuExec, RasterFaces>)));
}
"""
CAMERAS = {
    "outside": Camera.look_at((0.3, 0.5, 3.0)),
    "inside": Camera.look_at((0.1, 0.05, 0.2), (1, 0.2, 0.1), fov=100.0),
    "orthographic": Camera.look_at((1, 2, 3), height=2.2, near=-10.0),
    "batch": Camera.orbit(3, elevation=[10.0, -40.0]),
}
MESHES = {
    "soup": lambda dtype: soup(300, 1, dtype),
    "sphere": lambda dtype: sphere(40, 60, dtype),
    "large faces": lambda dtype: plane(1, dtype),
    "flat on flat": lambda dtype: doubled(plane(3, dtype)),
}
pytestmark = pytest.mark.skipif(
    not HAS_NATIVE or SANITIZED or sys.platform != "linux", reason="built as on Linux, plainly"
)


def doubled(mesh: Mesh) -> Mesh:
    """Each face twice: at every pixel two have the same depth."""
    return Mesh(mesh.vertices, torch.cat((mesh.faces.flip(0), mesh.faces)))


@pytest.fixture(scope="module")
def by_face():
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed here")
    torch_dir = Path(torch.__file__).resolve().parent
    command = [compiler, "-std=c++17", "-O2", "-fPIC", "-shared", "-ffp-contract=off", "-Wall"]
    command += ["-DTORCH_TARGET_VERSION=0x020a000000000000", f"-I{ROOT / 'csrc'}"]
    command += [f"-I{torch_dir / 'include'}", "-x", "c++", "-"]
    command += [f"-L{torch_dir / 'lib'}", "-ltorch_cpu", "-ltorch"]
    key = hashlib.sha256(f"{torch.__version__} {command} {SOURCE}".encode())
    for path in sorted((ROOT / "csrc").rglob("*.h")):
        key.update(path.read_bytes())
    folder = ROOT / "build" / "by-face-check"
    library = folder / f"{key.hexdigest()[:16]}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{os.getpid()}.part"  # several processes may build it at a time
        done = subprocess.run(
            [*command, "-o", str(part)], input=SOURCE, capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, done.stderr
        part.replace(library)
        for old in set(folder.glob("*.so")) - {library}:
            old.unlink(missing_ok=True)
    torch.ops.load_library(str(library))
    return torch.ops.meshlearn_by_face


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cam", CAMERAS)
@pytest.mark.parametrize("name", MESHES)
def test_faces_by_themselves_give_the_bits_of_tiles(by_face, name, cam, dtype) -> None:
    mesh, cam, size = MESHES[name](dtype), CAMERAS[cam], (61, 83)
    clip = cam.homogeneous(mesh.vertices, size).reshape(-1, mesh.num_vertices, 4).contiguous()
    near = clip.new_full((len(clip),), cam.near)
    args, behind = (clip, mesh.faces, near), None
    corners = Incidence(mesh.faces.reshape(-1), mesh.num_vertices)
    g = torch.Generator().manual_seed(0)
    for _ in range(3):  # layers from front to back
        found = by_face.rasterize(*args, behind, *size)
        want = torch.ops.meshlearn.rasterize(*args, behind, *size)
        assert all(torch.equal(a, b) for a, b in zip(found, want, strict=True))
        behind = found[0]
        slopes = [torch.randn(t.shape, generator=g, dtype=dtype) for t in found[1:]]
        for given in (slopes, [slopes[0], None], [None, slopes[1]]):
            inverse = (behind, *given, corners.start, corners.order)
            slope = by_face.rasterize_backward(*args, *inverse)
            other = torch.ops.meshlearn.rasterize_backward(*args, *inverse)
            assert torch.allclose(slope, other, rtol=1e-5, atol=1e-6 * float(other.abs().max()))


def test_faces_that_are_not_finite_and_no_faces(by_face) -> None:
    mesh = soup(20, 3, torch.float32)
    mesh.vertices[4] = torch.nan
    cam = CAMERAS["outside"]
    clip, near = cam.homogeneous(mesh.vertices, 32)[None], torch.tensor([cam.near])
    found = by_face.rasterize(clip, mesh.faces, near, None, 32, 32)
    assert torch.equal(found[0][0], rasterize(mesh, cam, 32).face)
    none = by_face.rasterize(clip, mesh.faces[:0], near, None, 32, 32)
    assert bool((none[0] == -1).all() and (none[1] == 0).all() and (none[2] == 0).all())
