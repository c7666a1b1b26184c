"""assets/ is what scripts/make_assets.py makes."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from meshlearn.render.light_files import read_hdr

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"
script = runpy.run_path(str(ROOT / "scripts" / "make_assets.py"))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return {path.name: path for path in script["make"](tmp_path_factory.mktemp("assets"))}


def numbers(path: Path) -> list[np.ndarray]:
    """The numbers of a file: sines may differ in the last digit from machine to machine."""
    if path.suffix == ".npz":
        with np.load(path) as data:
            return [data[name] for name in sorted(data)]
    if path.suffix == ".hdr":
        return [read_hdr(path.read_bytes()) / 100]  # a byte of a mantissa is 1/256 of a texel
    raw = path.read_bytes()
    if path.suffix == ".ply":
        head, body = raw.split(b"end_header\n")
        count = int(head.split(b"element vertex ")[1].split()[0])
        faces = np.frombuffer(body[count * 24 :], dtype=[("n", "u1"), ("v", "<i4", 3)])
        return [np.frombuffer(body[: count * 24], "<f4"), faces["v"], faces["n"]]
    lines = raw.decode().splitlines()
    return [np.array([s.split()[1:] for s in lines if s[0] == k], float) for k in "vf"]


def test_assets_are_what_the_script_makes(fresh):
    kinds = (".obj", ".ply", ".npz", ".hdr")
    made = {path.name: path for path in ASSETS.rglob("*") if path.suffix in kinds}
    assert made.keys() == fresh.keys()
    for name, path in fresh.items():
        for got, want in zip(numbers(made[name]), numbers(path), strict=True):
            np.testing.assert_allclose(
                got, want, atol=3e-6, rtol=0.01 * (path.suffix == ".hdr"), err_msg=name
            )


def test_assets_are_small():
    for path in ASSETS.rglob("*"):
        assert path.stat().st_size < 300_000, path


@pytest.mark.parametrize(("name", "euler"), [("gear", 0), ("blob", 2)])
def test_shapes_are_closed_and_oriented(name, euler):
    vertices, faces = script[name]()[:2]
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    directed, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 1).all()
    assert {tuple(e) for e in directed} == {(b, a) for a, b in directed}
    assert len(vertices) - len(directed) // 2 + len(faces) == euler
    corners = vertices[faces]
    volume = np.linalg.det(corners).sum() / 6
    assert 0.5 < volume < 1.5
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    assert area.min() > 1e-5
