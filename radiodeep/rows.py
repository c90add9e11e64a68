"""Cases in, rows out: chunks, processes, recorded failures, cache."""
