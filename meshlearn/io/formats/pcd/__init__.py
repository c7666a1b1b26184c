"""PCD point clouds."""
