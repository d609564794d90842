"""Drawings of messages as text for the terminal, and as an HTML page."""
