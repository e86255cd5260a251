"""City snapshots: static data compiled once into immutable memory-mapped arrays, and what reads them."""
