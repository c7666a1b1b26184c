"""Conversion of one file and of many: the pipeline, batches, worker processes."""
