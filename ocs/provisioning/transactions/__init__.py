"""Changes of several elements at once, all or none, whatever crashes."""
