"""Serves the OpenAI API of the gateway: chat completions, responses and models, by agents."""
