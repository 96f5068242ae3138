"""The engine that runs small models with transformers, in this process."""
