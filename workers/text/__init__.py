"""Text as platforms want it: markup rendered, split to size, sent at a pace they take."""
