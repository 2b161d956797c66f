"""HTTP endpoints on the gateway's port."""
