"""Characters: what others said with them and of them."""
