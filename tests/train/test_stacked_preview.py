"""What trainings keep for looking at: snapshots beside their targets."""

import pytest
import torch

from meshlearn.data import shapes
from meshlearn.mesh import Mesh
from meshlearn.train.stacked_preview import GAP, Stack


def test_shapes_stand_above_one_another_and_predictions_beside_their_targets():
    ball, box = shapes.icosphere(1), shapes.box()
    stack = Stack([ball, box])
    assert stack.step == pytest.approx(2 * GAP, rel=1e-5)
    label = stack.target.face_attributes["shape"]
    assert label.tolist() == [0] * ball.num_faces + [1] * box.num_faces
    none = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    made = stack([none, ball])
    assert made.num_faces == ball.num_faces and (made.face_attributes["shape"] == 1).all()
    middle = (made.vertices.amin(0) + made.vertices.amax(0)) / 2
    torch.testing.assert_close(middle, torch.tensor([0.0, -stack.step, 0.0]), atol=1e-6, rtol=0)


def test_labels_of_convexes_are_kept_where_all_have_them():
    box = shapes.box()
    named = Mesh(box.vertices, box.faces, face_attributes={"convex": torch.arange(box.num_faces)})
    stack = Stack([box])
    assert "convex" in stack([named, named]).face_attributes
    assert "convex" not in stack([named, box]).face_attributes
