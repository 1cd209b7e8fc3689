"""Tests; the tree mirrors the source. What several of them share: factories, waiting, the simulator, conftest."""
