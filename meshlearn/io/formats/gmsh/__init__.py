"""Gmsh."""
