"""Strategies that choose the next stage every second from detections; none of them reaches a lamp without the guard."""
