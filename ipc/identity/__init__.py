"""Proves identities: keys, signatures, tokens, trusted certificates, workers."""
