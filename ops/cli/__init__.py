"""The command line `trunkline`: parsing, dispatch, exit codes."""
