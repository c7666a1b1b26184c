"""STL, binary and ascii."""
