"""Find the common slots of sites, and book one."""
