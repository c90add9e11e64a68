"""Images of cases -> masks: networks that learn from outlined cases, and classical methods."""
