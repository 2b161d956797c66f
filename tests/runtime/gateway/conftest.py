"""Shared by the gateway's tests."""

import uvloop

uvloop.new_event_loop().close()  # libuv opens a pipe for the whole process once: not a leak
