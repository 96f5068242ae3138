"""Does a text share a long piece with an item of a benchmark? Exact, verified, in bounded memory."""
