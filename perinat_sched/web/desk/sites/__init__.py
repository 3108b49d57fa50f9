"""A site's own page: what waits for its answer, and its closures."""
