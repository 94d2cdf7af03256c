"""HTTP/1.1 over the loop: connections of clients, requests within limits, answers in small steps."""
