"""What came in, counted: alert names, their runbooks, and the notifications sent of them."""
