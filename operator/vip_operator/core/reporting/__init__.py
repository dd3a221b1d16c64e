"""What users read in statuses, events and Services. Pure."""
