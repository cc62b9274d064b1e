"""What Pillow does not do for the three kinds of file that are read; core.codec.images puts it together.

png.py: checksums, samples at the file's own depth, transparency, stated colours. jpeg.py: which kinds are known, and
whether all of the picture's data is there; jpeg_segments.py: a file without metadata, and what that says. webp.py: the
first frame of an animation. orientation.py: EXIF. icc.py and colour_numbers.py: from a stated colour space to sRGB;
colours.py: which statement counts.
"""
