"""Faults of what files keep."""

from __future__ import annotations

from faults.mutant import Mutant

# fits of a known topology, poses and materials of files, series
KEPT: list[Mutant] = [
    Mutant(
        "isosurface: simple points, parts that touch",
        "meshlearn/isosurface/simple_points.py",
        "(_parts(side, touching, every) == 1)",
        "(_parts(side, touching, every) >= 1)",
        ("tests/isosurface/test_simple_points.py",),
    ),
    Mutant(
        "fits: topology is held",
        "meshlearn/representations/flexicubes.py",
        "only_births=self._wanted is None",
        "only_births=True",
        ("tests/reconstruct/test_topology.py",),
    ),
    Mutant(
        "fits: a torn surface is mended",
        "meshlearn/representations/flexicubes.py",
        "torn = not self._found",
        "torn = False",
        ("tests/reconstruct/test_topology.py",),
    ),
    Mutant(
        "fits: parts that meet have no topology of their own",
        "meshlearn/reconstruct/targets/mesh.py",
        " and are_walls(self.bvh)",
        "",
        ("tests/reconstruct/test_topology.py",),
    ),
    Mutant(
        "io: a texture's offset from the other end",
        "meshlearn/io/formats/gltf/material.py",
        "return u, 1 - v",
        "return u, v",
        ("tests/io/test_looks.py",),
    ),
    Mutant(
        "io: the content says an image's type",
        "meshlearn/io/image_changes.py",
        "kind = type_of(images[key], key)",
        'kind = key.rpartition(".")[2]',
        ("tests/io/test_image_types.py",),
    ),
    Mutant(
        "io: metal weighs the base colour by its square",
        "meshlearn/io/formats/gltf/specular.py",
        "m**2 * (of_specular",
        "(1 - m) * (of_specular",
        ("tests/io/test_gltf_materials.py",),
    ),
    Mutant(
        "io: normals of a mirrored part stay outside",
        "meshlearn/io/placed.py",
        "sign = -1.0 if mirrored else 1.0",
        "sign = 1.0",
        ("tests/io/test_placed.py",),
    ),
    Mutant(
        "io: a turn of a node is a quaternion",
        "meshlearn/io/formats/gltf/legal.py",
        "[zy - yz, xz - zx, yx - xy, xx + yy + zz]",
        "[zy - yz, zx - xz, yx - xy, xx + yy + zz]",
        ("tests/io/test_gltf_validator.py",),
    ),
    Mutant(
        "io: bits of meshopt's channels turn to the right",
        "meshlearn/io/formats/gltf/meshopt.py",
        "(values >> np.uint32(turn)) | (values << np.uint32(32 - turn))",
        "(values << np.uint32(turn)) | (values >> np.uint32(32 - turn))",
        ("tests/io/test_gltf_compressed.py",),
    ),
    Mutant(
        "io: meshopt's colours have alpha of one bit less",
        "meshlearn/io/formats/gltf/meshopt.py",
        "(a << 1) | (a & 1)",
        "a << 1",
        ("tests/io/test_gltf_compressed.py",),
    ),
    Mutant(
        "io: placed coordinates are turned",
        "meshlearn/io/texture_placing.py",
        "offset[1] + s * u + c * v",
        "offset[1] - s * u + c * v",
        ("tests/io/test_texture_placing.py",),
    ),
    Mutant(
        "io: weights of joints sum to one",
        "meshlearn/io/skinning.py",
        "found / np.where(total > 0, total, 1), every[-1, k])",
        "found, every[-1, k])",
        ("tests/io/test_gltf_pose.py",),
    ),
    Mutant(
        "heart: a series begins from smoothed paths",
        "meshlearn/heart/fit/series.py",
        "at = smoothed([f.model",
        "at = list([f.model",
        ("tests/heart/test_series.py",),
    ),
]
