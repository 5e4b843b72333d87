"""Speed, memory and rates beside other codecs."""
