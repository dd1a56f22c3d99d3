"""Judges of recorded histories: what clients asked and were told, and whether a correct database
could have answered so. Standard library only, so that any test of any cluster can use them."""
