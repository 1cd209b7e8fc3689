"""`make bench`: what Stet costs beside a bare relay. Measures and prints; asserts no time, and is no test."""
