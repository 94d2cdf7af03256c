"""etcd, through the JSON gateway of its API v3, or its API v2."""
