"""Matching of feed entities to the city: vehicles to trips, road sites to arcs, car parks to car parks."""
