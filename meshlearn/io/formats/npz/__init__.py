"""npz archives of arrays."""
