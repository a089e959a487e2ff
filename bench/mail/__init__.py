"""Mail in the bench: what a small one costs, and how much a large one holds up everything else."""
