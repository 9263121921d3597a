"""Web addresses in a message, as a browser or mail reader would open them. Nothing is fetched."""
