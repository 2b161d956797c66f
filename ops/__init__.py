"""What an operator uses: the command line ``trunkline`` and its scripts."""
