"""What is wrong with a mesh: every kind of defect, counted and listed."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.arrays.report import MeshReport, report_of, triangle_areas

__all__ = ["MeshReport", "areas_of", "check"]


def areas_of(vertices: Tensor, faces: Tensor) -> Tensor:
    """(F,) the areas that `check` goes by: zero where two edges of a face are parallel, on every
    processor."""
    corners = vertices.detach()[faces].cpu()
    return torch.from_numpy(triangle_areas(corners.numpy())).to(vertices.device)


def check(vertices: Tensor, faces: Tensor) -> MeshReport:
    """Counts and indices of every kind of defect, as `Mesh.check` says; computed on the CPU, the
    same on every processor."""
    given = (vertices.detach().cpu().contiguous(), faces.cpu().contiguous())
    report = report_of(*(tensor.numpy() for tensor in given))
    defects = {name: torch.from_numpy(index) for name, index in report.defects.items()}
    defects = {name: index.to(faces.device) for name, index in defects.items()}
    return MeshReport(report.facts, defects, torch.from_numpy(report.edges).to(faces.device))
