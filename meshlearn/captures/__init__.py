"""Posed photographs as their files tell of them: lenses, poses, names; numpy, no pictures read."""
