"""The part of the benchmark that needs torch."""
