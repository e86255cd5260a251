"""The signals service: control loop, audit, plans, and closed-loop simulation of corridors."""
