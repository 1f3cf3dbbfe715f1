"""Small embedded tables; the README in this folder says what they are."""
