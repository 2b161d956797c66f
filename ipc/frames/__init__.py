"""The frames of every link: their types, their checks, their JSON Schema."""
