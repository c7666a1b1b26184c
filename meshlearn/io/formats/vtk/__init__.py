"""VTK, legacy and XML."""
