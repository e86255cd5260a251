"""Door-to-door journeys over street and transit: planner, park-and-ride, tours."""
