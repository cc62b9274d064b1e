"""What surrounds the routes: limits, headers, log and metrics."""
