"""Fits of hearts to contours: one frame, a cycle, from a trained encoder.

How a fit chooses its steps is told by three files: `one_frame` (what moves when), `gauss_newton`
(one step, and the equations by their numbers) and `settings` (every number).
"""
