"""Files of fitted hearts: meshes with fields, reports, and series for viewers of time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from meshlearn._files import write_file
from meshlearn.heart.data.contours import save_contours
from meshlearn.heart.fit.one_frame import HeartFit
from meshlearn.heart.fit.settings import DENSITY, FLOW_STEPS
from meshlearn.heart.model import HeartModel
from meshlearn.heart.results.clinical import dense, heart_mesh, over_cycle, read_out
from meshlearn.heart.results.picture import draw_slices, draw_volumes
from meshlearn.io import save
from meshlearn.mesh import Mesh

FIELDS = (".vtp", ".vtk", ".vtu", ".ply")  # formats that keep the fields of the vertices


def _plain(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces)


def _save(mesh: Mesh, path: Path) -> Path:
    save(mesh if path.suffix.lower() in FIELDS else _plain(mesh), path)
    return path


def write_heart(fit: HeartFit, out: str | Path, *, surface: str = "muscle") -> list[Path]:
    """Writes one surface to a mesh file, or all of a heart to a folder.

    A folder gets SURFACE.vtp with fields (wall thickness, AHA segment, surface label, u, v),
    muscle.stl (closed), heart.glb, contours.txt (what it was fitted to), report.json, report.csv,
    slices.png and heart.safetensors, the model's weights. Lengths are mm, in the coordinates of the
    contours.

    Args:
        out: a file name with the suffix of a mesh format, or a folder, made if needed.
        surface: what a single file holds; see `HeartModel.surfaces`.
    """
    out = Path(out)
    made, rv = dense(fit.model), fit.model.has_rv
    if out.suffix:
        return [_save(heart_mesh(made, surface, rv=rv), out)]
    out.mkdir(parents=True, exist_ok=True)
    written = [
        _save(heart_mesh(made, name, rv=rv), out / f"{name}.vtp") for name in fit.model.surfaces
    ]
    written.append(_save(heart_mesh(made, "muscle", rv=rv), out / "muscle.stl"))
    written.append(_save(heart_mesh(made, "muscle", rv=rv), out / "heart.glb"))
    written.append(save_contours(fit.contours, out / "contours.txt"))
    written += write_report([read_out(fit, made)], out)
    written.append(draw_slices(fit, out / "slices.png"))
    written.append(_save_model(fit, out / "heart.pt"))
    return written


def _save_model(fit: HeartFit, path: Path) -> Path:
    from safetensors.torch import save as to_bytes

    state = {name: value.contiguous() for name, value in fit.model.state_dict().items()}
    path = path.with_suffix(".safetensors")
    write_file(path, to_bytes(state))
    return path


def write_report(reports: Sequence[dict], folder: Path, *, name: str = "report") -> list[Path]:
    """report.json with everything, report.csv with one row a frame."""
    whole: dict = {"frames": list(reports)}
    if len(reports) > 1:
        whole["cycle"] = over_cycle(list(reports))
    write_file(folder / f"{name}.json", (json.dumps(whole, indent=2) + "\n").encode())
    plain = [key for key, value in reports[0].items() if not isinstance(value, dict | list)]
    segments = list(reports[0]["segments_mm"])
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*plain, *(f"thickness {s} mm" for s in segments)])
    for r in reports:
        cells = [*(r[k] for k in plain), *(r["segments_mm"][s] for s in segments)]
        cells = [round(c, 3) if isinstance(c, float) else c for c in cells]
        table.writerow(["" if c is None else c for c in cells])
    write_file(folder / f"{name}.csv", text.getvalue().encode())
    return [folder / f"{name}.json", folder / f"{name}.csv"]


def write_series(fits: Sequence[HeartFit], out: str | Path) -> dict:
    """Writes the frames of a heart to a folder, and returns the measures over the cycle.

    The folder gets SURFACE_NNN.vtp of each frame (meshes that correspond vertex by vertex),
    SURFACE.pvd for viewers that play series, contours_NNN.txt, volumes.png, report.json and
    report.csv.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    reports, names = [], fits[0].model.surfaces
    for fit in fits:
        made = dense(fit.model)
        for name in names:
            mesh = heart_mesh(made, name, rv=fit.model.has_rv)
            _save(mesh, out / f"{name}_{fit.contours.frame:03d}.vtp")
        save_contours(fit.contours, out / f"contours_{fit.contours.frame:03d}.txt")
        reports.append(read_out(fit, made))
    for name in names:
        rows = [
            f'<DataSet timestep="{i}" file="{name}_{fit.contours.frame:03d}.vtp"/>'
            for i, fit in enumerate(fits)
        ]
        body = '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1"><Collection>\n'
        end = "\n</Collection></VTKFile>\n"
        write_file(out / f"{name}.pvd", (body + "\n".join(rows) + end).encode())
    write_report(reports, out)
    curves = {"LV cavity": [r["lv_volume_ml"] for r in reports]}
    cycle = over_cycle(reports)
    title = f"volume, mL, over the frames; EF LV {cycle['lv']['ejection_fraction_percent']:.0f} %"
    if "rv" in cycle:
        curves["RV cavity"] = [r["rv_volume_ml"] for r in reports]
        title += f", RV {cycle['rv']['ejection_fraction_percent']:.0f} %"
    draw_volumes(curves, out / "volumes.png", title=title)
    return cycle


def load_model(path: str | Path, *, rv: bool = True) -> torch.nn.Module:
    """A `HeartModel` from the weights that `write_heart` left.

    Args:
        path: its `heart.safetensors`; the size of the flow is read from it.
        rv: whether the heart has a right ventricle.

    Raises:
        ValueError: a file that is no safetensors, or holds something else.
        FileNotFoundError: no such file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(str(path))
        width, features = state["flow.weights.1"].shape
        model = HeartModel(width=width, features=features, rv=rv, steps=FLOW_STEPS, density=DENSITY)
        model.load_state_dict(state)
    except (SafetensorError, KeyError, ValueError, RuntimeError):
        raise ValueError(
            f"{path}: expected the weights of a heart, as `write_heart` leaves them, got another "
            "file; give its heart.safetensors"
        ) from None
    return model
