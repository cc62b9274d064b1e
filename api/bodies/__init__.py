"""What requests and answers hold, as JSON."""
