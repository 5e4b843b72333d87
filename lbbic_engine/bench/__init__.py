"""Speed, memory and rates compared with other codecs."""
