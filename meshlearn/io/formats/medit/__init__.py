"""MEDIT."""
