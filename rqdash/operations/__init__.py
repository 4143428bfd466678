"""Long work: what is more than a page of jobs, planned first, then walked item by item by whichever process has the lease."""
