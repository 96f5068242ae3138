"""One room for all that is shown: blocks of a page, a renderer for each output, safe texts, figures."""
