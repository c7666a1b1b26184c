"""What a capture holds, in numbers and words; pictures are not read."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np

from meshlearn.captures.capture import KINDS, Capture
from meshlearn.captures.image_heads import image_head
from meshlearn.captures.lens import Lens, shown_share, text_of
from meshlearn.captures.reading import read_capture, scaled

_SHOWN = 6  # lenses that the table lists


def describe_capture(path: Path) -> dict[str, object]:
    """Views, sizes, lenses and files of a capture.

    Raises:
        ValueError: see `meshlearn.captures.reading.read_capture`.
    """
    capture = scaled(read_capture(path))
    eyes = -np.einsum("nji,nj->ni", capture.poses[:, :3, :3], capture.poses[:, :3, 3])
    there: dict[str, int] = {}
    missing: list[Path] = []
    stored: Counter[tuple[int, int]] = Counter()
    turned = 0
    for kind in KINDS:
        files = [file for file in capture.paths.get(kind, []) if file is not None]
        if not files:
            continue
        found = [file for file in files if file.is_file()]
        there[kind] = len(found)
        missing += [file for file in files if not file.is_file()]
        if not stored:
            heads = [head for file in found if (head := image_head(file)) is not None]
            stored.update(head.size for head in heads)
            turned = sum(head.orientation != 1 for head in heads)
    lenses = Counter(capture.lenses)
    unused = _unused(capture)
    told = Counter(lens.size for lens in capture.lenses if lens.size is not None)
    return {
        "kind": "images",
        "cameras": str(capture.path),
        "views": len(capture),
        "images": there,
        "missing": len(missing),
        "first_missing": str(missing[0]) if missing else None,
        "without_camera": len(unused),
        "first_without_camera": str(unused[0]) if unused else None,
        "sizes": _sizes(stored),
        "camera_sizes": _sizes(told),
        "exif_turned": turned,
        "lenses": [
            _lens(lens, count, share=place < _SHOWN)
            for place, (lens, count) in enumerate(lenses.most_common())
        ],
        "lower": eyes.min(0).tolist(),
        "upper": eyes.max(0).tolist(),
        "remarks": list(capture.remarks),
    }


def _unused(capture: Capture) -> list[Path]:
    """Images beside those that have a camera, which no view names."""
    named = {file for files in capture.paths.values() for file in files if file is not None}
    colors = [file for file in capture.paths.get("colors", []) if file is not None]
    suffixes = {file.suffix.lower() for file in colors} - {""}
    out = []
    for folder in sorted({file.parent for file in colors}):
        if folder.is_dir():
            out += [f for f in sorted(folder.iterdir()) if f.suffix.lower() in suffixes]
    return [file for file in out if file not in named]


def _sizes(counts: Counter[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"width": w, "height": h, "views": n} for (h, w), n in counts.most_common()]


def _lens(lens: Lens, count: int, *, share: bool) -> dict[str, object]:
    if lens.size is None:  # in image widths
        angle = 2 * math.degrees(math.atan(0.5 / lens.focal[0]))
        return {"model": lens.model, "views": count, "horizontal_angle": angle}
    out: dict[str, object] = {
        "model": lens.model,
        "views": count,
        "focal": list(lens.focal),
        "centre": list(lens.middle),
        "coefficients": list(lens.coefficients),
        "straight": lens.straight,
    }
    if lens.straight:
        (w, fx), cx = (lens.known_size[1], lens.focal[0]), lens.middle[0]
        out["horizontal_angle"] = math.degrees(math.atan(cx / fx) + math.atan((w - cx) / fx))
    else:
        out["bends_by"] = text_of(lens)
        if share:
            out["shown_share"] = shown_share(lens)
    return out


def rows_of(facts: dict[str, object]) -> list[tuple[str, object]]:
    """The facts as a table for people: what is as usual is left out."""
    rows: list[tuple[str, object]] = [
        (key, facts[key]) for key in ("file", "kind", "cameras", "views")
    ]
    images = facts["images"]
    assert isinstance(images, dict)
    rows.append(("images", ", ".join(f"{n:,} {kind}" for kind, n in images.items()) or "none"))
    if facts["missing"]:
        count = facts["missing"]
        what = f"{count:,} file{'' if count == 1 else 's'}, the first: {facts['first_missing']}"
        rows.append(("missing", what))
    if facts["without_camera"]:
        count = facts["without_camera"]
        what = f"{count:,} image{'' if count == 1 else 's'}, the first: "
        rows.append(("without camera", f"{what}{facts['first_without_camera']}"))
    sizes, told = (_text(facts[key]) for key in ("sizes", "camera_sizes"))
    if sizes:
        rows.append(("size", sizes))
    if told and told != sizes:
        rows.append(("size of cameras", told))
    if facts["exif_turned"]:
        rows.append(("EXIF orientation", f"of {facts['exif_turned']:,} images"))
    lenses = facts["lenses"]
    assert isinstance(lenses, list)
    for lens in lenses[:_SHOWN]:
        rows.append(("lens", _lens_text(lens)))
    if len(lenses) > _SHOWN:
        rows.append(("lens", f"… and {len(lenses) - _SHOWN:,} more; --json lists them"))
    rows += [(f"{key} camera", facts[key]) for key in ("lower", "upper")]
    remarks = facts["remarks"]
    assert isinstance(remarks, list)
    return rows + [("remark", remark) for remark in remarks]


def _text(sizes: object) -> str:
    assert isinstance(sizes, list)
    if len(sizes) == 1:
        return f"{sizes[0]['width']} × {sizes[0]['height']}"
    parts = [f"{s['width']} × {s['height']} ({s['views']:,})" for s in sizes[:4]]
    return ", ".join(parts) + (f" and {len(sizes) - 4} more" if len(sizes) > 4 else "")


def _lens_text(lens: dict) -> str:
    parts = [lens["model"], f"{lens['views']:,} views"]
    if "focal" in lens:
        parts.append("focal " + " ".join(f"{v:.5g}" for v in lens["focal"]))
        parts.append("centre " + " ".join(f"{v:.5g}" for v in lens["centre"]))
    if "horizontal_angle" in lens:
        parts.append(f"{lens['horizontal_angle']:.4g}° wide")
    if "bends_by" in lens:
        parts.append(f"bends by {lens['bends_by']}")
        parts.append(f"{lens['shown_share']:.1%} of it can be straightened")
    return ", ".join(parts)
