"""HTTP to catalogues, over urllib3: connections with time limits, TLS, proxies and name lookups."""
