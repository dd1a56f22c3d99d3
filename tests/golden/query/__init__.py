"""The language by example: each production, function and procedure with its answer."""
