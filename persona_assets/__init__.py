"""Web crawls to personas, personas to training data, every row traceable to the page it came from."""

__version__ = "0.1.0"
