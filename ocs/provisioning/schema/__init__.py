"""What YANG modules say of an element's configuration: which paths there are, and which values they take."""
