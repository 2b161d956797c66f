"""What is compared: the product, and what people would use or build instead."""
