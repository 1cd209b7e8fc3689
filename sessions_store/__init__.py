"""Rows: the only Django app with tables. Imports nothing of ours and knows no provider, no page and no socket."""
