"""Pictures, plots, pages and their templates."""
