"""Store the files of messages, and decide which files and addresses are read for one."""
