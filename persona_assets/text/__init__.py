"""What is known of a text without a model call: sentences, language, tokens, vectors."""
