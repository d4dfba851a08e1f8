"""What performs units: local processes, peers that train together, processes of one folder, or a cluster."""
