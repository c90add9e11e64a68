"""Disk -> Case: manifests, readers and synthetic cohorts."""
