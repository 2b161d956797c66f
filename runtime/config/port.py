"""The port that everybody knows: apart, because many need it who need nothing else."""

DEFAULT_PORT = 18789  # OpenClaw's: its clients find us without being told
