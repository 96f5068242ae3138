"""The engine for OpenAI-compatible servers, online and in batches."""
