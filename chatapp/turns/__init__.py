"""The turn engine: from a queued turn to its end. Knows rows, the planner, adapters and prices; no page, no socket."""
