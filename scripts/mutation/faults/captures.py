"""Faults of photographs and cameras."""

from __future__ import annotations

from faults.mutant import Mutant

CAPTURES: list[Mutant] = [
    Mutant(
        "captures: tangential terms change places",
        "meshlearn/captures/lens.py",
        "return x * factor + dx, y * factor + dy\n\n\ndef _radial",
        "return x * factor + dy, y * factor + dx\n\n\ndef _radial",
        ("tests/captures/test_lens.py",),
    ),
    Mutant(
        "captures: a fisheye without coefficients bends",
        "meshlearn/captures/lens.py",
        "        if model.fisheye:\n            return False\n",
        "",
        ("tests/captures/test_lens.py",),
    ),
    Mutant(
        "captures: a straightened image ends at the fold",
        "meshlearn/captures/lens.py",
        "        bad = ~(area > 1e-6).all(1)  # NaN, too",
        "        bad = area[:, 0] > np.inf",
        ("tests/captures/test_lens.py",),
    ),
    Mutant(
        "captures: the centre scales with the width",
        "meshlearn/captures/lens.py",
        "(self.centre[0] * sx, self.centre[1] * sy)",
        "(self.centre[0] * sy, self.centre[1] * sy)",
        ("tests/captures/test_reading.py",),
    ),
    Mutant(
        "captures: coefficients of a pinhole count",
        "meshlearn/captures/transforms.py",
        'name = "FULL_OPENCV" if "k3" in bent else "OPENCV"',
        'return "PINHOLE", ()',
        ("tests/captures/test_reading.py",),
    ),
    Mutant(
        "captures: the folder of most images is read",
        "meshlearn/captures/capture.py",
        "if count > most:",
        "if count > 0 and most < 1:",
        ("tests/captures/test_reading.py",),
    ),
    Mutant(
        "captures: the second line of an image is looked at",
        "meshlearn/captures/colmap.py",
        "if len(words) % 3:",
        "if len(words) % 3 == 3:",
        ("tests/captures/test_reading.py",),
    ),
    Mutant(
        "captures: a frame's own angle counts",
        "meshlearn/captures/transforms.py",
        'shared = {k: v for k, v in shared.items() if k not in ("fl_x", "fl_y")}',
        "pass",
        ("tests/captures/test_reading.py",),
    ),
    Mutant(
        "render: two values of masks are background and object",
        "meshlearn/render/read_images.py",
        '(found["masks"] - low) / (high - low)',
        'found["masks"]',
        ("tests/render/test_masks.py",),
    ),
    Mutant(
        "reconstruct: who empties a hull is to blame",
        "meshlearn/reconstruct/targets/mask_agreement.py",
        'least.scatter_reduce_(0, at, how_many, "amin")',
        'least.scatter_reduce_(0, at, how_many, "amax", include_self=False)',
        ("tests/reconstruct/test_images.py",),
    ),
    Mutant(
        "render: images turned by EXIF",
        "meshlearn/render/read_images.py",
        "elif head.lies and",
        "elif False and",
        ("tests/captures/test_reading.py",),
    ),
    Mutant(
        "render: depth is not mixed when straightened",
        "meshlearn/render/straighten.py",
        'mode="nearest" if kind in ("depth", "normals") else "bilinear"',
        'mode="bilinear"',
        ("tests/render/test_straighten.py",),
    ),
    Mutant(
        "render: what no lens saw is not known",
        "meshlearn/render/straighten.py",
        "torch.from_numpy(known))",
        "torch.from_numpy(known) | True)",
        ("tests/render/test_straighten.py",),
    ),
    Mutant(
        "fits: what no camera saw carves nothing",
        "meshlearn/reconstruct/targets/visual_hull.py",
        "seen &= self.known[i, row, column]",
        "pass",
        ("tests/reconstruct/test_lenses.py",),
    ),
    Mutant(
        "fits: what no camera saw is not compared",
        "meshlearn/reconstruct/targets/images.py",
        'off = off * wanted["known"]',
        "pass",
        ("tests/reconstruct/test_lenses.py",),
    ),
    Mutant(
        "fits: the end of what is known is no silhouette",
        "meshlearn/reconstruct/targets/visual_hull.py",
        "inside = inside | (~known & edge[:, None, None])",
        "pass",
        ("tests/reconstruct/test_lenses.py",),
    ),
]
