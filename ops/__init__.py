"""What an operator uses: the command line and the scripts."""
