"""Figures as aligned text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

COLUMNS = {
    "chamfer": "chamfer",
    "f1": "F1",
    "edge_chamfer": "edge ch.",
    "edge_f1": "edge F1",
    "normal_consistency": "normals",
    "inaccurate_normals_percent": ">5° %",
    "aspect_ratio_gt4_percent": "AR>4 %",
    "radius_ratio_gt4_percent": "RR>4 %",
    "min_angle_lt10_percent": "<10° %",
    "self_intersecting_percent": "SI %",
    "watertight": "closed",
    "manifold": "manifold",
    "euler_number": "Euler",
    "faces": "faces",
}


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if math.isnan(value):
            return "-"
        if value == 0 or math.isinf(value):
            return f"{value:g}"
        return f"{value:.3g}" if 1e-2 <= abs(value) < 1e4 else f"{value:.2e}"
    return str(value)


def table(
    rows: Mapping[str, Mapping[str, object]] | Sequence[Mapping[str, object]],
    *,
    columns: Sequence[str] | Mapping[str, str] | None = None,
) -> str:
    """Aligned text of the figures of several meshes, one line each.

    Args:
        rows: {name: figures} or a list of figures with a "name", as from `compare`.
        columns: which figures, or {figure: heading}; by default the columns of the FlexiCubes paper
            and what tells a sound mesh, as far as any row has them.

    Example:
        >>> print(ml.metrics.table({"fandisk": ml.metrics.compare(fit, target)}))
    """
    if isinstance(rows, Mapping):
        named = [(str(name), row) for name, row in rows.items()]
    else:
        named = [(str(row.get("name", i)), row) for i, row in enumerate(rows)]
    if columns is None:
        known = {key for _, row in named for key in row}
        heads = {key: head for key, head in COLUMNS.items() if key in known}
    elif isinstance(columns, Mapping):
        heads = dict(columns)
    else:
        heads = {key: COLUMNS.get(key, key) for key in columns}
    lines = [["", *heads.values()]]
    lines += [[name, *(_text(row.get(key)) for key in heads)] for name, row in named]
    width = [max(len(line[k]) for line in lines) for k in range(len(heads) + 1)]
    text = []
    for line in lines:
        cells = [c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(line, width))]  # noqa: B905
        text.append("  ".join(cells).rstrip())
    text.insert(1, "  ".join("-" * w for w in width))
    return "\n".join(text)
