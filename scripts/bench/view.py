"""The viewer: a large mesh from the command to the pixels, and scrubbing through a run.

A headless Chromium that draws by software is open before the command starts, as a browser is on a
desk; it goes to the page when the command has printed the address. "first pixels" may be of the
simplified mesh, "whole mesh" is the first picture after the whole was drawn.
"""

from __future__ import annotations

import io
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _common import ROOT, Bench, main
from PIL import Image

from meshlearn.mesh import Mesh
from meshlearn.run_folder import save_snapshot
from meshlearn.viewer.browser import Browser, find_browser
from meshlearn.viewer.run_panel import RunPanel

SIZE = (1280, 800)
WHOLE = "(window.__mlFrames?.cost ?? 0) > 0"
STAND_IN = f"window.__mlFrames?.simplified || {WHOLE}"


def torus(faces: int, bumps: float = 0.03) -> Mesh:
    """A bumpy torus of about so many faces."""
    across = max(3, round(math.sqrt(faces / 4)))
    along = 2 * across
    u = torch.arange(along)[:, None] * (2 * math.pi / along)
    v = torch.arange(across)[None] * (2 * math.pi / across)
    radius = 0.4 + bumps * torch.sin(12 * u) * torch.sin(8 * v)
    ring = 1 + radius * torch.cos(v)
    points = [ring * torch.cos(u), radius * torch.sin(v), ring * torch.sin(u)]
    index = torch.arange(along * across).reshape(along, across)
    right, up = index.roll(-1, 0), index.roll(-1, 1)
    far = right.roll(-1, 1)
    faces = torch.stack([index, up, far, index, far, right], -1).reshape(-1, 3)
    return Mesh(torch.stack(points, -1).reshape(-1, 3), faces)


def seen(browser: Browser) -> float:
    """Share of the scene's pixels that are not background."""
    picture = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
    scene = np.asarray(picture).astype(int)[80:, : SIZE[0] - 360]
    return float((np.abs(scene - scene[2, 300]).sum(2) > 30).mean())


def open_large(faces: int, folder: Path) -> dict[str, float]:
    """Seconds from the start of `meshlearn view` on a binary PLY of so many faces."""
    path = folder / "torus.ply"
    mesh = torus(faces)
    mesh.save(path)
    with Browser(SIZE) as browser:
        begin = time.monotonic()
        command = [sys.executable, "-m", "meshlearn", "view", str(path), "--port", "18900"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            line = process.stderr.readline()
            while line and "Ctrl-C" not in line:
                line = process.stderr.readline()
            times = {"faces": mesh.num_faces, "address_s": time.monotonic() - begin}
            browser.open(line.split()[0])
            browser.wait("document.querySelector('canvas') !== null")
            # pictures are dear: taken when the page has drawn something new
            for name, drawn in (("first_pixels_s", STAND_IN), ("whole_mesh_s", WHOLE)):
                browser.wait(drawn, patience=60)
                while seen(browser) < 0.05:
                    time.sleep(0.05)
                times[name] = time.monotonic() - begin
            time.sleep(2)
            drawn = browser.evaluate("window.__mlFrames.drawn")
            time.sleep(4)
            idle = browser.evaluate("window.__mlFrames.drawn") - drawn
            times.update(frame_ms=browser.evaluate("window.__mlFrames.cost"), idle_frames=idle)
            return times
        finally:
            process.terminate()
            process.wait()


def scrub(steps: int, faces: int, folder: Path) -> dict[str, float]:
    """Milliseconds from asking for a step of a run to its having been drawn."""
    from meshlearn import viewer
    from meshlearn.viewer.runs import Run

    for step in range(1, steps + 1):
        save_snapshot(folder, step, torus(faces, 0.08 * step / steps))
    history = {"step": list(range(1, steps + 1)), "loss": [1 / k for k in range(1, steps + 1)]}
    (folder / "history.json").write_text(json.dumps(history))
    (folder / "run.json").write_text("{}")
    with viewer.App([], viewer.Options(port=18950), run=Run(folder)) as app, Browser(SIZE) as tab:
        tab.open(app.url)
        tab.wait(f"document.querySelector('.ml-run[data-step=\"{steps}\"]') !== null")
        tab.wait("window.__mlFrames?.drawn > 3")
        time.sleep(1)
        app.panel(RunPanel).following.value = False
        count = tab.evaluate("window.__mlFrames.drawn")
        tab.evaluate(SHOWN)
        times = []
        for step in range(steps):
            begin = time.monotonic()
            app.panel(RunPanel).show(step)
            tab.evaluate(f"window.__shown({step + 1})")
            times.append(1e3 * (time.monotonic() - begin))
        pages = tab.evaluate("performance.getEntriesByType('navigation').length")
        frames = tab.evaluate("window.__mlFrames.drawn") - count
    return {
        "steps": steps, "faces": torus(faces).num_faces, "median_ms": statistics.median(times),
        "worst_ms": max(times), "total_s": sum(times) / 1e3, "frames": frames, "pages": pages,
    }  # fmt: skip


# resolves when the panel tells the step, and a frame has been drawn since
SHOWN = """window.__shown = (step) => new Promise((done) => {
    const drawn = window.__mlFrames.drawn;
    const look = () => document.querySelector(`.ml-run[data-step="${step}"]`) !== null
        && window.__mlFrames.drawn > drawn ? done() : setTimeout(look, 2);
    look();
}); 1"""


def run(bench: Bench) -> None:
    if find_browser() is None:
        bench.value("viewer", note="no Chromium on PATH (set MESHLEARN_BROWSER)")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = open_large(200_000 if bench.quick else 1_000_000, folder)
        bench.value("open a mesh, software GL", note="a binary PLY, warm files", **found)
        steps, faces = (10, 5_000) if bench.quick else (100, 50_000)
        bench.value("scrub a run, software GL", **scrub(steps, faces, folder / "run"))


if __name__ == "__main__":
    main(run)
