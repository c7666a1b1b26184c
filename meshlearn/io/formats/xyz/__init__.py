"""XYZ point clouds."""
