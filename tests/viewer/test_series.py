"""A heart series in the viewer: frames, volumes, wall thickness, segments."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip("viser", reason="viser is not installed")

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.heart.data.contours import from_arrays, save_contours
from meshlearn.mesh import Mesh
from meshlearn.viewer.field_panel import LABELS, FieldPanel
from meshlearn.viewer.gather_items import gather
from meshlearn.viewer.series import Series, is_series
from meshlearn.viewer.shot import settled
from tests.viewer.conftest import pixels


@pytest.fixture
def folder(tmp_path):
    """Three balls that grow, with the fields and the report of a series."""
    ball = shapes.icosphere(3)
    frames = []
    for k, radius in enumerate((0.5, 0.7, 1.0)):
        segment = 1 + (ball.vertices[:, 1] > 0).long() + 2 * (ball.vertices[:, 0] > 0).long()
        fields = {"wall_thickness": radius * (2 + ball.vertices[:, 1]), "aha_segment": segment}
        mesh = Mesh(40 * radius * ball.vertices, ball.faces, vertex_attributes=fields)
        ml.save(mesh, tmp_path / f"muscle_{k:03d}.vtp")
        ring = 39 * radius * ball.vertices[ball.vertices[:, 1].abs() < 0.1]
        contours = from_arrays(ring, ["lv_epi"] * len(ring), slice=[0] * len(ring))
        save_contours(contours, tmp_path / f"contours_{k:03d}.txt")
        frames.append({"frame": k, "lv_volume_ml": 100.0 * radius, "rv_volume_ml": None})
    cycle = {"lv": {"ejection_fraction_percent": 50.0}}
    (tmp_path / "report.json").write_text(json.dumps({"frames": frames, "cycle": cycle}))
    (tmp_path / "muscle.pvd").write_text("<VTKFile/>")
    return tmp_path


def test_frames_volumes_and_fields(folder):
    assert is_series(folder) and not is_series(folder / "muscle.pvd")
    _, run, field, _ = gather([folder])
    assert isinstance(run, Series) and field == "wall_thickness"
    assert run.steps == [0, 1, 2] and "LV ejection fraction 50.0 %" in run.state
    names, (steps, volumes) = run.curves()
    assert names == ["LV, mL"] and steps.tolist() == [0, 1, 2]
    assert volumes.tolist() == [50, 70, 100]
    (folder / "muscle_001.vtp").write_text("torn")
    assert run.shape(1) is None and run.shape(2).mesh.num_faces == 1280
    shown = run.shape(2)  # its contours lie on it, a millimetre inside
    assert len(shown.points) > 20 and len(shown.lines) > 0
    assert abs(np.linalg.norm(shown.points, axis=1) - 39).max() < 0.01
    (folder / "contours_002.txt").write_text("torn")
    assert any(note.startswith("contours_002.txt: ") for note in run.shape(2).notes)


def test_a_series_is_scrubbed(page, serve, folder):
    app = serve([], run=Series(folder), field="wall_thickness")
    tab = page(app)
    tab.wait("document.querySelector('.ml-run[data-step=\"2\"]') !== null")
    words = tab.evaluate("document.body.innerText")
    assert "LV, mL" in words and "wall_thickness" in words

    def size():
        picture = pixels(settled(tab)).astype(int)
        return int((abs(picture[:, :600] - picture[2, 300]).sum(2) > 30).sum())

    large = size()
    tab.press("ArrowLeft")
    tab.press("ArrowLeft")
    tab.wait("document.querySelector('.ml-run[data-step=\"0\"]') !== null")
    assert size() < 0.5 * large
    app.fields.choose("aha_segment")
    assert app.panel(FieldPanel).colormap.value == LABELS
    assert torch.equal(
        app.drawings[0].item.mesh.vertex_attributes["aha_segment"].unique(), torch.arange(1, 5)
    )
