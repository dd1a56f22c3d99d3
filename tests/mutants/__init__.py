"""Rules taken away one at a time: each mutant is a small edit of the code that a test must notice."""
