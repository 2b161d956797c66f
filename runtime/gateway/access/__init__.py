"""Decides who may connect to the gateway, and with which rights."""
