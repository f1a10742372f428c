"""From a connection to a token: Key Vault, the principal, the callback, the credential."""
