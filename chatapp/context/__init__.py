"""The planner: what is sent to a provider, and why. Pure; the clock is passed in; no provider's name in any `if`."""
