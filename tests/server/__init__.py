"""The doors of a served node, judged from outside."""
