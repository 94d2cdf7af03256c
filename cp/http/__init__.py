"""An HTTP/1.1 server on the loop (h11): connections, requests within limits, answers made in small steps."""
