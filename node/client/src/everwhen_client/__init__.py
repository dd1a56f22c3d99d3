"""Client of Everwhen over HTTP."""
