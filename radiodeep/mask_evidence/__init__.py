"""Automatic and expert masks -> evidence: how well they agree, and whether features and predictions survive."""
