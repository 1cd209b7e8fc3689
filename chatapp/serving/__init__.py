"""Running Stet as one process: Daphne's server with what it lacks, namely drain and back-pressure.

What answers requests and runs turns does not belong here; this package only starts and ends it.
"""
