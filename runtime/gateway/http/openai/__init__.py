"""The OpenAI API of the gateway: chat completions, responses and models, answered by agents."""
