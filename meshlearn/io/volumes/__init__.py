"""Volumes in files, as numpy arrays: a module a format, behind `table`; none asks for torch."""
