"""Implements proofs of identity: keys, signatures, tokens, trusted certificates, workers."""
