"""Device identities: keys, signatures, tokens and trusted certificates."""
