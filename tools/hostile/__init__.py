"""What hostile answers cost in memory, beside honest ones to the same request."""
