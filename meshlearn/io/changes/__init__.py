"""Changes that a conversion can ask for: placement, repair, simplification, joining."""
