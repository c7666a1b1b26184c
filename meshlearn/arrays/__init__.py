"""Surfaces as plain numpy arrays: triangles of polygons, connectivity, defects. Without torch.

Files are read, converted and checked with what stands here, so that none of it waits for torch. The
data model (`meshlearn.mesh`) builds on it where it works on the CPU and nothing is differentiated.
"""
