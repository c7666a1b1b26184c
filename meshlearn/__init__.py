"""meshlearn: learn, fit and convert 3D meshes."""

__version__ = "0.1.0"
