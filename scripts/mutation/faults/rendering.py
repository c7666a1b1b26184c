"""Faults of rendering."""

from __future__ import annotations

from faults.mutant import Mutant

RENDERING: list[Mutant] = [
    Mutant(
        "light: what a dielectric reflects reaches the matte layer too",
        "meshlearn/render/pbr.py",
        "(1 - DIELECTRIC * scale - bias)",
        "(1 - 0 * scale)",
        ("tests/render/test_pbr.py",),
    ),
    Mutant(
        "light: the right of a panorama is -x",
        "meshlearn/render/environment.py",
        "0.5 + torch.atan2(x, -z)",
        "0.5 - torch.atan2(x, -z)",
        ("tests/render/test_environment.py",),
    ),
    Mutant(
        "light: the last level is as rough as the one before",
        "meshlearn/render/environment.py",
        "1.0 if last else rough",
        "rough if not last else 0.5",
        ("tests/render/test_environment.py",),
    ),
    Mutant(
        "light: green leans down",
        "meshlearn/render/surfaces.py",
        "y * texture.strength",
        "-y * texture.strength",
        ("tests/render/test_pbr.py",),
    ),
    Mutant(
        "light: the mantissa is not in the middle of its step",
        "meshlearn/render/light_files.py",
        "+ np.float32(0.5)) * scale",
        "+ np.float32(0.0)) * scale",
        ("tests/render/test_light_files.py",),
    ),
    Mutant(
        "csrc: a pixel on an edge belongs to one face",
        "csrc/kernels/rasterize.h",
        "return value > 0 || (value == 0 && (a > 0 || (a == 0 && b > 0)));",
        "return value >= 0;",
        ("tests/render/test_rasterize.py", "tests/render/test_near_plane.py"),
    ),
    Mutant(
        "csrc: the near plane is a test per pixel",
        "csrc/kernels/rasterize.h",
        "return z >= near && (e0",
        "return (e0",
        ("tests/render/test_near_plane.py",),
    ),
    Mutant(
        "csrc: depth is interpolated with perspective",
        "csrc/kernels/rasterize.h",
        "z = (e0 * p[0].z + e1 * p[1].z + e2 * p[2].z) / total;",
        "z = (p[0].z + p[1].z + p[2].z) / 3;",
        ("tests/render/test_rasterize.py",),
    ),
    Mutant(
        "csrc: which surface ends at a silhouette",
        "csrc/kernels/silhouette.h",
        "int32_t side = f < 0 || (g >= 0 && depth[b] < depth[a]);",
        "int32_t side = f < 0 || (g >= 0 && depth[b] > depth[a]);",
        ("tests/render/test_antialias.py",),
    ),
    Mutant(
        "csrc: texels have their centres at halves",
        "csrc/kernels/texture.h",
        "const T place = c * size - (nearest ? T(0) : T(0.5))",
        "const T place = c * size - (nearest ? T(0) : T(0))",
        ("tests/render/test_texture.py",),
    ),
    Mutant(
        "csrc: texture coordinates run upward",
        "csrc/kernels/texture.h",
        "gv -= part * y.slope *",
        "gv += part * y.slope *",
        ("tests/render/test_texture.py",),
    ),
]
