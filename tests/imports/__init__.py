"""Bulk load end to end: files, the command line, a served node, and what is there afterwards."""
