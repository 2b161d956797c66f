"""The accounts as the supervisor manages them."""
