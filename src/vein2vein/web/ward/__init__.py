"""What the door of the ward shows and holds."""
