"""Measurements: ratios against baselines run in the same minute on the same machine."""
