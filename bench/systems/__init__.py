"""Systems under comparison: the product, and what people would use or build instead."""
