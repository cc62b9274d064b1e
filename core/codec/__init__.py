"""The image side: validated pixels in, fitted rules, a bundle of bytes, regrown pixels out."""
