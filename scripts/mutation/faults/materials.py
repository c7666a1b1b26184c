"""Faults of materials drawn."""

from __future__ import annotations

from faults.mutant import Mutant

MATERIALS: list[Mutant] = [
    Mutant(
        "io: an image takes the name of another",
        "meshlearn/io/image_names.py",
        "while place in absent or images.get(place, data) != data:",
        "while place in absent:",
        ("tests/io/test_mesh_looks.py",),
    ),
    Mutant(
        "io: parts without a material take the first",
        "meshlearn/io/even_looks.py",
        'part.face_fields.setdefault("material", np.full(part.num_faces, -1, np.int32))',
        'part.face_fields.setdefault("material", np.full(part.num_faces, 0, np.int32))',
        ("tests/io/test_mesh_looks.py",),
    ),
    Mutant(
        "geometry: charts are not told apart",
        "meshlearn/geometry/carry.py",
        "self.step = _APART * reach",
        "self.step = 0.0 * reach",
        ("tests/geometry/test_carry.py",),
    ),
    Mutant(
        "geometry: a chart that meets itself is followed over its seam",
        "meshlearn/geometry/carry.py",
        "        if len(seam):",
        "        if not len(seam):",
        ("tests/geometry/test_carry.py",),
    ),
    Mutant(
        "render: textures are mixed as they are encoded",
        "meshlearn/render/decoded.py",
        "pixels[..., :3] = to_linear(pixels[..., :3])",
        "pass",
        ("tests/render/test_materials.py",),
    ),
    Mutant(
        "render: a texture is turned the other way",
        "meshlearn/render/materials.py",
        "turned = torch.stack((c * u - s * v, s * u + c * v), 1)",
        "turned = torch.stack((c * u + s * v, c * v - s * u), 1)",
        ("tests/render/test_materials.py",),
    ),
    Mutant(
        "render: a mask shows nothing behind it",
        "meshlearn/render/visible.py",
        "torch.where(through, following.face, fragments.face),",
        "torch.where(through, -1, fragments.face),",
        ("tests/render/test_materials.py",),
    ),
    Mutant(
        "render: a mask is looked through once",
        "meshlearn/render/visible.py",
        "chosen = through & fragments.mask",
        "chosen = through & ~through",
        ("tests/render/test_materials.py",),
    ),
]
