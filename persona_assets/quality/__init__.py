"""How diverse datasets are: near-duplicates, distinct n-grams, self-BLEU, Vendi score, coverage, novelty of hops."""
