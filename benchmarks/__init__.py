"""What the project claims to be fast at, measured against a yardstick in the same run: `python -m benchmarks`."""
