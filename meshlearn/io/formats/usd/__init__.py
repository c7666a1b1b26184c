"""USD (usda, usdc, usdz)."""
