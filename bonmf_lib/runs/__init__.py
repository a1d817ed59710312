"""What runs: profiles, the choices of a run and its folder, trainings and their records, manifests,
publication."""
