"""Who lives and dies: configuration, lifecycle, supervisor, and the gateway."""
