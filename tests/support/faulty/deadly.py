"""A plugin whose import ends the process that tries it."""

import os

os._exit(3)
