"""Pictures drawn from released fonts and icons."""
