"""The derived case tables, by the counts that are known of them."""

from collections import Counter

import torch

from meshlearn.isosurface import tables


def test_patches_of_the_256_cases():
    counts = Counter(len(tables.trace(case)) for case in range(256))
    assert counts == {0: 2, 1: 162, 2: 82, 3: 8, 4: 2}
    assert max(len(cycle) for case in range(256) for cycle in tables.trace(case)) == 7


def test_every_crossed_edge_is_in_exactly_one_patch():
    for case, _, patches in tables.dual_entries():
        crossed = {e for e, (a, b) in enumerate(tables.EDGES) if (case >> a ^ case >> b) & 1}
        listed = [edge for cycle in patches for edge in cycle]
        assert sorted(listed) == sorted(crossed)


def test_problem_cases_are_c16_and_c19():
    cases = [c for c in range(256) if tables.problem_face(c) is not None]
    kinds = Counter((bin(c).count("1"), max(map(len, tables.trace(c)))) for c in cases)
    assert kinds == {(5, 7): 24, (6, 6): 12}
    for case in cases:
        assert sum(tables.is_ambiguous(case, face) for face in range(6)) == 1


def test_flipping_splits_the_patch():
    for case, face, patches in tables.dual_entries()[256:]:
        before = tables.trace(case)
        assert len(patches) == len(before) + 1
        assert sum(map(len, patches)) == sum(map(len, before))
        assert tables.is_ambiguous(case, face)


def test_patches_face_from_inside_to_outside():
    corners = torch.tensor(tables.CORNERS, dtype=torch.float64)
    for case in range(1, 255):
        for cycle in tables.trace(case):
            middle = torch.stack([corners[list(tables.EDGES[e])].mean(0) for e in cycle])
            area = torch.zeros(3, dtype=torch.float64)
            for a, b in zip(middle, middle.roll(-1, 0), strict=True):
                area += torch.linalg.cross(a, b) / 2
            outward = torch.zeros(3, dtype=torch.float64)
            for e in cycle:
                a, b = tables.EDGES[e]
                inside, outside = (a, b) if case >> a & 1 else (b, a)
                outward += corners[outside] - corners[inside]
            assert float(area @ outward) > 0, (case, cycle)


def test_no_diagonal_lies_in_a_face_of_the_cell():
    for case in range(256):
        for cycle in tables.trace(case):
            sides = {frozenset(p) for p in zip(cycle, cycle[1:] + cycle[:1], strict=True)}
            triangles = tables.triangulate_cycle(cycle)
            assert len(triangles) == len(cycle) - 2
            for a, b, c in triangles:
                for pair in ((a, b), (b, c), (c, a)):
                    assert frozenset(pair) in sides or not tables._on_one_face(*pair)
