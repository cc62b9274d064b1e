"""Learning the profile `seeds`: one rule and its context laws, from many photos, in floats. Needs torch."""
