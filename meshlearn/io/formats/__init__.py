"""One folder a format: what it reads, what it writes and what it holds."""
