#!/usr/bin/env python3
"""Makes the project's sample geometry in assets/: `python scripts/make_assets.py [FOLDER]`.

Everything is computed from formulas, so the files are free to use and the same everywhere.

- gear.obj: a spur gear with a hub, a bore with a keyway, and a fillet between disc and hub (sharp
  edges and a smooth blend; genus 1, watertight; unit: 1 is about the radius).
- blob.ply: a closed freeform shape (genus 0), with vertex normals.
- lights/studio.hdr, overcast.hdr, sunset.hdr: panoramas of light (64 x 128, linear radiance).
- torus_volume.npz: a signed distance volume, negative inside, with its spacing and origin.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

TEETH = 16


def gear() -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and triangles (F, 3) of the gear, the axis along z."""
    # one tooth: fractions of its pitch, and the radius there; angles lie on its corners, so that
    # the edges are sharp
    fraction = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    radius = np.array([0.8, 0.8, 0.8, 0.867, 0.933, 1.0, 1.0, 1.0, 0.933, 0.867])
    angle = ((np.arange(TEETH)[:, None] + fraction) * (2 * np.pi / TEETH)).ravel()
    outer = np.tile(radius, TEETH)
    # the keyway: a notch in the bore, one step of the angle wide at its walls
    bore = np.where(np.abs(angle - np.pi) < 0.22, 0.34, 0.26)
    hub, fillet, disc_top, hub_top, bottom = 0.48, 0.12, 0.1, 0.34, -0.18

    def constant(value: float) -> np.ndarray:
        return np.full(len(angle), value)

    # the cross-section as a closed loop of rings (radius by angle, height), outward on the left
    rings = [(outer, bottom), (outer, -0.04), (outer, disc_top)]
    rings += [(0.5 * (outer + hub + fillet), disc_top)]
    for t in np.linspace(0.0, np.pi / 2, 7):
        rings.append(
            (
                constant(hub + fillet - fillet * np.sin(t)),
                disc_top + fillet - fillet * np.cos(t),
            )
        )
    rings += [(constant(hub), hub_top), (0.5 * (bore + hub), hub_top), (bore, hub_top)]
    rings += [(bore, 0.17), (bore, 0.0), (bore, bottom), (0.5 * (bore + outer), bottom)]

    points = np.stack(
        [
            np.stack([r * np.cos(angle), r * np.sin(angle), np.full_like(angle, z)], 1)
            for r, z in rings
        ]
    )
    return points.reshape(-1, 3), _torus_faces(len(rings), len(angle))


def _torus_faces(rows: int, columns: int) -> np.ndarray:
    i, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    a = i * columns + j
    b = i * columns + (j + 1) % columns
    c = (i + 1) % rows * columns + (j + 1) % columns
    d = (i + 1) % rows * columns + j
    return np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)


def icosphere(levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit sphere by `levels` splits of the icosahedron."""
    g = (1 + 5**0.5) / 2
    signs = [(-1, g, 0), (1, g, 0), (-1, -g, 0), (1, -g, 0)]
    vertices = [np.roll(s, k) for k in (0, 1, 2) for s in np.array(signs)]
    vertices = np.array(vertices, dtype=np.float64)
    edge = np.linalg.norm(vertices[:, None] - vertices, axis=2)
    near = np.isclose(edge, 2.0)
    faces = []
    for a in range(12):
        for b in range(a + 1, 12):
            for c in range(b + 1, 12):
                if near[a, b] and near[b, c] and near[a, c]:
                    outward = np.dot(np.cross(vertices[b], vertices[c]), vertices[a]) > 0
                    faces.append((a, b, c) if outward else (a, c, b))
    faces = np.array(faces)
    for _ in range(levels):
        edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
        unique, index = np.unique(edges, axis=0, return_inverse=True)
        middle = index.reshape(-1, 3) + len(vertices)
        vertices = np.concatenate([vertices, vertices[unique].mean(1)])
        a, b, c = faces.T
        ab, bc, ca = middle.T
        faces = np.concatenate(
            [np.stack(t, 1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
        )
    return vertices / np.linalg.norm(vertices, axis=1, keepdims=True), faces


def blob() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, triangles and area-weighted vertex normals of a smooth closed shape."""
    direction, faces = icosphere(4)
    x, y, z = direction.T
    radius = 0.7 + 0.16 * np.sin(2.6 * x + 1.0) * np.cos(3.1 * y) + 0.12 * np.cos(2.2 * z - 2 * x)
    radius += 0.06 * np.sin(5 * x * y + 2 * z)
    vertices = direction * radius[:, None] * np.array([1.1, 0.9, 0.8])
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(sums, faces[:, k], normal)
    return vertices, faces, sums / np.linalg.norm(sums, axis=1, keepdims=True)


def torus_volume() -> dict[str, np.ndarray]:
    """Signed distance to a torus on a box of 36 x 40 x 24 points with unequal spacing."""
    spacing, origin = np.array([0.07, 0.06, 0.05]), np.array([-1.2, -1.1, -0.55])
    axes = [o + s * np.arange(n) for o, s, n in zip(origin, spacing, (36, 40, 24), strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    sdf = np.hypot(np.hypot(x, y) - 0.7, z) - 0.3
    return {"sdf": sdf.astype(np.float32), "spacing": spacing, "origin": origin}


def lights() -> dict[str, np.ndarray]:
    """Radiance (H, W, 3) of three panoramas; see `meshlearn.render.environment` for their frame."""
    rows, columns = 64, 128
    up = np.pi * (0.5 - (np.arange(rows) + 0.5) / rows)[:, None]
    turn = 2 * np.pi * ((np.arange(columns) + 0.5) / columns - 0.5)
    flat = np.cos(up)
    at = np.stack(
        [flat * np.sin(turn), np.broadcast_to(np.sin(up), (rows, columns)), -flat * np.cos(turn)],
        -1,
    )

    def lamp(toward: tuple[float, float, float], degrees: float, soft: float = 3.0) -> np.ndarray:
        """1 within so many degrees of a direction, falling off over `soft` more."""
        way = np.array(toward) / np.linalg.norm(toward)
        angle = np.degrees(np.arccos(np.clip(at @ way, -1, 1)))
        return np.clip((degrees + soft - angle) / soft, 0, 1)[..., None]

    def sky(zenith, horizon, ground) -> np.ndarray:  # type: ignore[no-untyped-def]
        height = at[..., 1:2]
        above = np.asarray(horizon) + (np.asarray(zenith) - np.asarray(horizon)) * height
        return np.where(height > 0, above, np.asarray(ground))

    studio = sky((0.16, 0.16, 0.17), (0.12, 0.12, 0.12), (0.07, 0.07, 0.07))
    studio = studio + lamp((-0.8, 0.8, 0.7), 18) * np.array([7.0, 6.8, 6.4])
    studio = studio + lamp((1.0, 0.25, 0.4), 14) * np.array([1.6, 1.9, 2.4])
    studio = studio + lamp((0.2, 0.7, -1.0), 10) * np.array([5.0, 5.0, 5.2])
    overcast = sky((1.25, 1.3, 1.38), (0.5, 0.53, 0.56), (0.16, 0.15, 0.13))
    sunset = sky((0.1, 0.16, 0.34), (0.75, 0.42, 0.26), (0.07, 0.05, 0.045))
    sunset = sunset + lamp((0.9, 0.16, 0.5), 4, 4) * np.array([60.0, 30.0, 11.0])
    found = {"studio": studio, "overcast": overcast, "sunset": sunset}
    return {name: image.astype(np.float32) for name, image in found.items()}


def write_obj(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    lines = ["# A spur gear with hub, fillet, bore and keyway; made by scripts/make_assets.py"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices + 0.0]
    lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def write_ply(path: Path, vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> None:
    names = ["x", "y", "z", "nx", "ny", "nz"]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property float {name}" for name in names]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    rows = np.empty(len(faces), dtype=[("n", "u1"), ("v", "<i4", 3)])
    rows["n"], rows["v"] = 3, faces
    data = np.concatenate([vertices, normals], 1).astype("<f4")
    path.write_bytes("\n".join([*header, ""]).encode() + data.tobytes() + rows.tobytes())


def make(folder: Path) -> list[Path]:
    """Writes every asset into `folder` and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in ("gear.obj", "blob.ply", "torus_volume.npz")]
    write_obj(paths[0], *gear())
    write_ply(paths[1], *blob())
    np.savez_compressed(paths[2], **torus_volume())
    from meshlearn.render.light_files import write_hdr

    (folder / "lights").mkdir(exist_ok=True)
    for name, texels in lights().items():
        paths.append(folder / "lights" / f"{name}.hdr")
        paths[-1].write_bytes(write_hdr(texels))
    return paths


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "assets"
    for made in make(target):
        print(f"{made}: {made.stat().st_size:,} bytes")
