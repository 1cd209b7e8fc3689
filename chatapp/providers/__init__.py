"""Wire translation and nothing more: one module per wire protocol, each `build`, `stream`, `usage`.

Only here are provider SDKs imported. Adapters know no rows, no pages and no planning.
What they share, the reading of event streams and the naming of errors, is in modules with an underscore.
"""
