"""What a store does, written once for all of them: operations on a session, in which each driver
runs statements of its own database."""
