"""OFF and its variants."""
