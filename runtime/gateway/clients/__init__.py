"""Connected clients: admission, requests, the table of methods."""
