"""Characters: profiles and their statements, casts, scripts of what characters go through, and what they are trained on.

After Character-LLM (arXiv 2310.10158); the assets stand in `tasks/files`.
"""
