"""What `check` knows and serving does not need: rule files, coverage, lint, shadowing."""
