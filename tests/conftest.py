"""What holds for all tests: in CI, generated examples are the same in every run, so that a change
is judged by what it changes; elsewhere they are new each time, and find what nobody thought of."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
