"""What runs beside requests: turns as tasks, their log, the process lease, and everybody who watches.

Knows events and rows, but no HTML and no socket: a consumer hands in a `Viewer` and sends what it collects.
"""
