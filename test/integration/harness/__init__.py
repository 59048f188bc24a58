"""What the integration tests stand on: servers, the sidecar, producers, recorded streams."""
