"""Files of any kind as a stream of bytes: compression and format by content."""
