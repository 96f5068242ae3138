"""Characters: profiles and their statements, casts, scripts of what they go through, and training on these.

After Character-LLM (arXiv 2310.10158); the assets stand in `tasks/files`.
"""
