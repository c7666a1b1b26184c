"""Fits of hearts to contours: one frame, a cycle, from a trained encoder."""
