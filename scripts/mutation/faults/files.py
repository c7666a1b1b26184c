"""Faults of files as people have them."""

from __future__ import annotations

from faults.mutant import Mutant

FILES: list[Mutant] = [
    Mutant(
        "io: fractions that are no bytes stay",
        "meshlearn/io/color_space.py",
        "exact = np.abs(found / 255 - values) <= 1e-6",
        "exact = np.abs(found / 255 - values) <= 1e-2",
        ("tests/io/test_kept_or_told.py",),
    ),
    Mutant(
        "io: colours of 16 bits in a mesh",
        "meshlearn/io/meshes.py",
        'if name != "color" or values.dtype not in (np.uint16, np.uint32):',
        'if name != "color" or values.dtype != np.uint32:',
        ("tests/io/test_kept_or_told.py",),
    ),
    Mutant(
        "io: PCD keeps where the sensor stood",
        "meshlearn/io/formats/pcd/read.py",
        "if view and view != STILL:",
        "if view == STILL:",
        ("tests/io/test_kept_or_told.py",),
    ),
    Mutant(
        "captures: the folder of all cameras has a smaller one beside it",
        "meshlearn/captures/reading.py",
        "levels = [*range(max(depths)), ",
        "levels = [max(depths) - 1, ",
        ("tests/captures/test_reading.py",),
    ),
    Mutant(
        "io: a loop with other coordinates the second time stays",
        "meshlearn/io/loops.py",
        "tables = [part.polygon_index, *(field.index for field in part.corner_fields.values())]",
        "tables = [part.polygon_index]",
        ("tests/io/test_loops.py",),
    ),
    Mutant(
        "io: a node between corners that is a corner elsewhere stays",
        "meshlearn/io/elements.py",
        "    keep[corners] = True\n",
        "",
        ("tests/io/test_curved.py",),
    ),
    Mutant(
        "io: a count of STL that was left open",
        "meshlearn/io/formats/stl/read.py",
        "UNKNOWN = (0, 0x7FFFFFFF, 0xFFFFFFFF)",
        "UNKNOWN = (0,)",
        ("tests/io/test_stl_as_people_have_it.py",),
    ),
    Mutant(
        "io: supports of 3MF are no part of the thing",
        "meshlearn/io/formats/threemf/read.py",
        '_APART = ("support", "solidsupport", "other")',
        '_APART = ("support", "solidsupport")',
        ("tests/io/test_threemf.py",),
    ),
    Mutant(
        "render: a layer takes what those before it let through",
        "meshlearn/render/blending.py",
        "share = (1 - cover) * layer.opacity",
        "share = layer.opacity",
        ("tests/render/test_materials.py",),
    ),
    Mutant(
        "io: colours of 3MF's materials are sRGB",
        "meshlearn/io/formats/threemf/properties.py",
        'said = {"base_color": _linear(colour)} if colour else {}',
        'said = {"base_color": colour} if colour else {}',
        ("tests/io/test_color_space.py",),
    ),
    Mutant(
        "io: opacity is no light",
        "meshlearn/io/color_space.py",
        "out[:, :3] = change(out[:, :3])",
        "out[:] = change(out)",
        ("tests/io/test_color_space.py",),
    ),
]
