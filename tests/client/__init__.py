"""The Python client and the shell, against a served node."""
