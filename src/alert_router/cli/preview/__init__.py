"""What each destination would receive for a payload, and how it would look there.

`messages` renders the payloads with the router's own code, `destinations` draws a payload as its
destination would, and `text` and `page` write the drawings. Nothing is stored or sent, and no
secret is read.
"""
