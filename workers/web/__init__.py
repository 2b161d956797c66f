"""What channels and agents share that speak HTTP: addresses, signatures, faults."""
