"""The ledger: every model answer, kept under a key of all that shapes it."""
