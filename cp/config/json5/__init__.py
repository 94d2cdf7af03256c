"""JSON5: parses text into values with their offsets."""
