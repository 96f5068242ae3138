"""Near-duplicates among personas: exact, explained, and independent of the order in which partitions ran."""
