"""JourneysService: door-to-door journeys, tours, routes, matrices, departures and places."""
