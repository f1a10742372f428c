"""Least privilege: which REST operation needs which action of Azure's role-based access control."""
