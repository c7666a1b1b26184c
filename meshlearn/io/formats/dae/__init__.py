"""COLLADA."""
